package io.mola.core.weights;

/** What changes in the matrices of a model while it is copied ({@link WeightSource#rewrite}). */
public interface RowChange {
  /** Whether any row of the matrix of that canonical name changes. */
  boolean changes(String canonicalName);

  /**
   * Changes logical row {@code row} in place. Called once for every row of each matrix that
   * changes, one matrix after the other, in the order of the container.
   *
   * @param values [in] the decoded row
   */
  void apply(String canonicalName, int row, float[] values);
}
