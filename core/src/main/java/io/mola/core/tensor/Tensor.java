package io.mola.core.tensor;

/**
 * A row-major, contiguous [rows, cols] view of device memory. No strides: row {@code i} starts at
 * element {@code i * cols}.
 */
public interface Tensor {
  /** Number of rows. */
  int rows();

  /** Number of columns. */
  int cols();

  /**
   * The first {@code rows} rows as a view. Batches are ragged, so buffers are planned for the
   * largest batch and each step works on the top of them.
   *
   * @throws IllegalArgumentException if there are fewer rows
   */
  default Tensor top(int rows) {
    return slice(0, rows, cols());
  }

  /**
   * A [rows, cols] view that starts at element {@code offset} of this view and lies wholly in it.
   *
   * @throws IllegalArgumentException if it reaches beyond the end
   */
  Tensor slice(long offset, int rows, int cols);
}
