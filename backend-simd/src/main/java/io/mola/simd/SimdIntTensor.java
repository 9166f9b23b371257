package io.mola.simd;

import io.mola.core.tensor.IntTensor;

/** An int array: element (row, col) is {@code data[row * cols + col]}. */
record SimdIntTensor(int[] data, int rows, int cols) implements IntTensor {
  /** The view behind a tensor of this backend. */
  static SimdIntTensor of(IntTensor tensor) {
    if (tensor instanceof SimdIntTensor simd) {
      return simd;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  @Override
  public SimdIntTensor top(int topRows) {
    if (topRows < 0 || topRows > rows) {
      throw new IllegalArgumentException(
          "top %d rows of a tensor of %d rows".formatted(topRows, rows));
    }
    return new SimdIntTensor(data, topRows, cols);
  }
}
