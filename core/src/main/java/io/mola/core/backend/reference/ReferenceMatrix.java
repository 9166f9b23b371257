package io.mola.core.backend.reference;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;

/** A matrix in its file encoding; rows are decoded at each use. */
final class ReferenceMatrix implements FrozenMatrix {
  private final StoredMatrix stored;
  private boolean closed;

  ReferenceMatrix(StoredMatrix stored) {
    this.stored = stored;
  }

  /** The matrix behind a frozen matrix of this backend. */
  static ReferenceMatrix of(FrozenMatrix matrix) {
    if (matrix instanceof ReferenceMatrix reference) {
      return reference;
    }
    throw new IllegalArgumentException(
        "matrix of another backend: " + matrix.getClass().getSimpleName());
  }

  /** Decodes a logical row: {@code to[0 .. in-1] = W[row, :]}. */
  void decodeRow(int row, float[] to) {
    if (closed) {
      throw new IllegalStateException(stored.name() + " is closed");
    }
    RowDecoder.decodeRow(stored, row, to, 0);
    RowDecoder.requireFinite(stored, row, to, 0);
  }

  @Override
  public int out() {
    return stored.out();
  }

  @Override
  public int in() {
    return stored.in();
  }

  @Override
  public void close() {
    closed = true;
  }
}
