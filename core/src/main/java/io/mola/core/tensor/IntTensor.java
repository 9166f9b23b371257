package io.mola.core.tensor;

/** A row-major int32 [rows, cols] view of device memory: token ids, positions, spans, targets. */
public interface IntTensor {
  /** Number of rows. */
  int rows();

  /** Number of columns. */
  int cols();

  /**
   * The first {@code rows} rows as a view.
   *
   * @throws IllegalArgumentException if there are fewer rows
   */
  IntTensor top(int rows);
}
