package io.mola.cuda;

import io.mola.core.tensor.IntTensor;

/**
 * int32 device memory: element (row, col) lies {@code row * cols + col} ints behind the address.
 */
record CudaIntTensor(long address, int rows, int cols) implements IntTensor {
  /** The view behind a tensor of this backend. */
  static CudaIntTensor of(IntTensor tensor) {
    if (tensor instanceof CudaIntTensor cuda) {
      return cuda;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  /** Size in bytes. */
  long bytes() {
    return (long) Integer.BYTES * rows * cols;
  }

  @Override
  public CudaIntTensor top(int topRows) {
    if (topRows < 0 || topRows > rows) {
      throw new IllegalArgumentException(
          "top %d rows of a tensor of %d rows".formatted(topRows, rows));
    }
    return new CudaIntTensor(address, topRows, cols);
  }
}
