package io.mola.cuda.driver;

/**
 * A row-major matrix in device memory as an operand of a product.
 *
 * @param address first element
 * @param element how an element lies in memory
 * @param stride elements from one row to the next
 * @param transposed whether the product takes its transpose
 */
public record Operand(long address, Element element, int stride, boolean transposed) {
  /** A matrix whose rows are contiguous. */
  public static Operand of(long address, Element element, int stride) {
    return new Operand(address, element, stride, false);
  }

  /** The transpose. */
  public Operand transpose() {
    return new Operand(address, element, stride, !transposed);
  }

  /** From that column on. */
  public Operand fromColumn(int column) {
    return new Operand(address + (long) column * element.bytes(), element, stride, transposed);
  }
}
