package io.mola.cuda;

import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Operand;

/**
 * A view of device memory: element (row, col) lies {@code row * cols + col} elements behind the
 * address.
 */
record CudaTensor(long address, Element element, int rows, int cols) implements Tensor {
  /** The view behind a tensor of this backend. */
  static CudaTensor of(Tensor tensor) {
    if (tensor instanceof CudaTensor cuda) {
      return cuda;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  /** The view behind a tensor of this backend whose elements must be of that type. */
  static CudaTensor of(Tensor tensor, Element element) {
    CudaTensor cuda = of(tensor);
    if (cuda.element != element) {
      throw new IllegalArgumentException(cuda + ": expected elements of type " + element);
    }
    return cuda;
  }

  /** Number of elements. */
  long size() {
    return (long) rows * cols;
  }

  /** Size in bytes. */
  long bytes() {
    return size() * element.bytes();
  }

  /** Address of the first element of a row. */
  long at(int row) {
    return address + (long) row * cols * element.bytes();
  }

  /** As a factor or sum of a product. */
  Operand operand() {
    return Operand.of(address, element, cols);
  }

  @Override
  public CudaTensor slice(long start, int sliceRows, int sliceCols) {
    long end = start + (long) sliceRows * sliceCols;
    if (start < 0 || sliceRows < 0 || sliceCols < 0 || end > size()) {
      throw new IllegalArgumentException(
          "slice [%d, %d] at %d reaches beyond the [%d, %d] tensor"
              .formatted(sliceRows, sliceCols, start, rows, cols));
    }
    return new CudaTensor(address + start * element.bytes(), element, sliceRows, sliceCols);
  }

  @Override
  public String toString() {
    return "[" + rows + ", " + cols + "] " + element;
  }
}
