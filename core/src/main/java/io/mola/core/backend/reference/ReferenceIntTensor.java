package io.mola.core.backend.reference;

import io.mola.core.tensor.IntTensor;
import java.util.Objects;

/** The first rows of an int array: element (row, col) is {@code data[row * cols + col]}. */
record ReferenceIntTensor(int[] data, int rows, int cols) implements IntTensor {
  /** The view behind a tensor of this backend. */
  static ReferenceIntTensor of(IntTensor tensor) {
    if (tensor instanceof ReferenceIntTensor reference) {
      return reference;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  int get(int row, int col) {
    return data[Objects.checkIndex(row, rows) * cols + Objects.checkIndex(col, cols)];
  }

  @Override
  public ReferenceIntTensor top(int topRows) {
    if (topRows < 0 || topRows > rows) {
      throw new IllegalArgumentException("top " + topRows + " of " + rows + " rows");
    }
    return new ReferenceIntTensor(data, topRows, cols);
  }
}
