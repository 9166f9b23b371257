package io.mola.core.verify;

/**
 * The largest difference seen so far, as it is and as a share of the size of what it differs from.
 * What is not a number stays, so that it can never pass.
 */
final class Worst {
  private double absolute;
  private double relative;

  /** {@code |own − recorded|}, and as a share of {@code |recorded|}. */
  Worst add(double own, double recorded) {
    return addOfSize(Math.abs(own - recorded), Math.abs(recorded));
  }

  /** A difference of something of that size. */
  static Worst ofSize(double difference, double size) {
    return new Worst().addOfSize(difference, size);
  }

  private Worst addOfSize(double difference, double size) {
    absolute = RecordedFloats.worse(absolute, difference);
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
