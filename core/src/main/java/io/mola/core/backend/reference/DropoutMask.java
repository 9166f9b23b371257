package io.mola.core.backend.reference;

import io.mola.core.backend.Dropout;
import io.mola.core.backend.Philox;

/** The mask D of {@link Dropout} on an input of {@code cols} columns, one element at a time. */
final class DropoutMask {
  private final Dropout dropout;
  private final int cols;
  private final int[] words = new int[4];

  DropoutMask(Dropout dropout, int cols) {
    this.dropout = dropout;
    this.cols = cols;
  }

  /** {@code x ⊙ D}. */
  static double[][] times(double[][] x, int cols, Dropout dropout) {
    DropoutMask mask = new DropoutMask(dropout, cols);
    double[][] y = new double[x.length][cols];
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < cols; i++) {
        y[t][i] = mask.keeps(t, i) ? x[t][i] * mask.dropout.keptScale() : 0;
      }
    }
    return y;
  }

  /** Whether element (row, col) is kept. */
  boolean keeps(int row, int col) {
    if (dropout.probability() == 0) {
      return true;
    }
    long index = (dropout.firstRow() + row) * cols + col;
    long block = index / 4;
    Philox.words(
        dropout.seed(), (int) block, (int) (block >>> 32), dropout.step(), dropout.stream(), words);
    return words[(int) (index % 4)] >>> 8 >= dropout.threshold();
  }
}
