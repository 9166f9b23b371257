package io.mola.simd;

import io.mola.core.tensor.Tensor;

/** A view of a float array: element (row, col) is {@code data[offset + row * cols + col]}. */
record SimdTensor(float[] data, int offset, int rows, int cols) implements Tensor {
  /** The view behind a tensor of this backend. */
  static SimdTensor of(Tensor tensor) {
    if (tensor instanceof SimdTensor simd) {
      return simd;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  /** Where a row starts. */
  int at(int row) {
    return offset + row * cols;
  }

  /** Number of elements. */
  int size() {
    return rows * cols;
  }

  @Override
  public SimdTensor slice(long start, int sliceRows, int sliceCols) {
    long end = start + (long) sliceRows * sliceCols;
    if (start < 0 || sliceRows < 0 || sliceCols < 0 || end > size()) {
      throw new IllegalArgumentException(
          "slice [%d, %d] at %d reaches beyond the [%d, %d] tensor"
              .formatted(sliceRows, sliceCols, start, rows, cols));
    }
    return new SimdTensor(data, Math.toIntExact(offset + start), sliceRows, sliceCols);
  }
}
