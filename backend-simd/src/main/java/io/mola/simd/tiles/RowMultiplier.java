package io.mola.simd.tiles;

/** Panels that multiply a single row as it lies, without being widened in memory first. */
interface RowMultiplier {
  /**
   * {@code sums[2][COLUMNS] = x · w} for two panels; see {@link RowKernel}.
   *
   * @param x [k] at {@code xo}
   */
  void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums);
}
