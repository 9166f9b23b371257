package io.mola.core.verify;

/**
 * The largest difference seen so far, as it is and as a share of what it differs from. What is not
 * a number stays, so that it can never pass.
 */
final class Worst {
  private double absolute;
  private double relative;

  /** {@code |own − recorded|}, and as a share of {@code |recorded|}. */
  Worst add(double own, double recorded) {
    return add(Math.abs(own - recorded), Math.abs(own - recorded), Math.abs(recorded));
  }

  /**
   * Of rows of {@code cols}, {@code actual[rows[i]] - recorded[i]}: the largest element, and the
   * 2-norm as a share of that of the recorded rows.
   */
  Worst add(float[] actual, int[] rows, int cols, float[] recorded) {
    double largest = RecordedFloats.maxDifference(actual, rows, cols, recorded);
    double apart = 0;
    double size = 0;
    for (int i = 0; i < rows.length && !Double.isNaN(largest); i++) {
      for (int c = 0; c < cols; c++) {
        double r = recorded[i * cols + c];
        double d = actual[rows[i] * cols + c] - r;
        apart += d * d;
        size += r * r;
      }
    }
    return add(largest, Double.isNaN(largest) ? largest : Math.sqrt(apart), Math.sqrt(size));
  }

  private Worst add(double largest, double difference, double size) {
    absolute = RecordedFloats.worse(absolute, largest);
    relative = RecordedFloats.worse(relative, difference == 0 ? 0 : difference / size);
    return this;
  }

  double absolute() {
    return absolute;
  }

  double relative() {
    return relative;
  }
}
