package io.mola.cuda;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.cuda.driver.Element;

/**
 * A frozen matrix in device memory, rows in logical order: decoded, or in its file encoding and
 * then decoded tile by tile at each use.
 */
final class CudaFrozenMatrix implements FrozenMatrix {
  private final StoredMatrix stored;
  private final CudaMemory memory;
  private final boolean decoded;
  private long address;

  CudaFrozenMatrix(StoredMatrix stored, CudaMemory memory, long address, boolean decoded) {
    this.stored = stored;
    this.memory = memory;
    this.address = address;
    this.decoded = decoded;
  }

  /** The matrix of this backend. */
  static CudaFrozenMatrix of(FrozenMatrix matrix) {
    if (matrix instanceof CudaFrozenMatrix cuda) {
      return cuda;
    }
    throw new IllegalArgumentException(
        "matrix of another backend: " + matrix.getClass().getSimpleName());
  }

  StoredMatrix stored() {
    return stored;
  }

  /**
   * Address of the first byte, for use in an operation.
   *
   * @throws io.mola.core.failure.MalformedFileException if a value is not finite
   */
  long usableAddress() {
    memory.requireFinite(this);
    return address;
  }

  /** Whether it lies decoded, as activations are stored. */
  boolean isDecoded() {
    return decoded;
  }

  /** How its rows lie in device memory. */
  QuantType rowType() {
    if (!decoded) {
      return stored.type();
    }
    return memory.activation() == Element.BF16 ? QuantType.BF16 : QuantType.F32;
  }

  /** Looks for values that are not finite in the mapping, the slow way, to name the row. */
  void examine() {
    float[] row = new float[stored.in()];
    for (int r = 0; r < stored.out(); r++) {
      RowDecoder.decodeRow(stored, r, row, 0);
      RowDecoder.requireFinite(stored, r, row, 0);
    }
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
    if (address != 0) {
      long freed = address;
      address = 0;
      memory.release(this, freed);
    }
  }

  @Override
  public String toString() {
    return stored.name() + " [" + out() + ", " + in() + "] " + stored.type();
  }
}
