package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.testdata.HostTensor;

/**
 * How far a result may be off. An element may differ by {@code bound · (|expected| + s)}, s the
 * larger of the root mean square of the expected tensor and of {@code unit}, the size that the
 * contract's inputs give it: so an element that is small by cancellation is held to the size of its
 * terms.
 *
 * <p>float32 has unit roundoff 6e-8, bfloat16 4e-3. Bounds are a few times the largest error of a
 * plain float32 loop over the contract's largest sizes (bfloat16: of one rounding of the result, or
 * of the operands of a product on tensor cores).
 */
public enum Tolerance {
  /** Copies and sums of two: one rounding, which every backend does alike. */
  EXACT(0, 4e-3, 1),
  /**
   * One decoded row: a fused multiply-add may round once less than scale times code plus minimum.
   */
  DECODED(3e-7, 4e-3, 0.03),
  /** Products of up to 768 terms, errors like a random walk: 6e-8 · sqrt(768) · a few. */
  PRODUCT(8e-6, 1.5e-2, 1),
  /** Sums over up to 131 tokens of products that went through two more products. */
  ADAPTER(1.5e-5, 3e-2, 1),
  /** Softmax of at most 8 logits, which are products of up to 768 terms. */
  GATE(1e-5, 1e-2, 0.1),
  /** Sums of softmax values over up to 131 rows. */
  BALANCE(5e-6, 5e-6, 0.1),
  /** A root, a division and one product; the sum of squares has no cancellation. */
  NORM(4e-6, 1e-2, 1),
  /** A root and a division, in float32 everywhere. */
  NORM_RSTD(2e-6, 2e-6, 0),
  /** Three roundings around a table of cosines. */
  ROTARY(4e-7, 8e-3, 1),
  /** exp of a score with error 1e-6, weighted sums over up to 131 rows, and their gradients. */
  ATTENTION(2e-5, 2e-2, 0.1),
  /** exp with a relative error below 1e-6, a division, two products. */
  SWIGLU(3e-6, 1.2e-2, 1),
  /** Logits of 768 terms, a softmax, a product with the head over up to 521 terms. */
  CROSS_ENTROPY(2e-5, 3e-2, 0.1),
  /** Sums of squares are promised to 1e-7, then rounded to float32. */
  SQUARED_NORM(2e-7, 2e-7, 0),
  /** A few roundings of parameters of size one. */
  OPTIMIZER(3e-7, 3e-7, 0.01),
  /** Ten steps: parameter and moments are rounded to float32 after each. */
  OPTIMIZER_RUN(2e-6, 2e-6, 0.01),
  /** A factor computed from a root and a division, and one product. */
  CLIP(4e-7, 4e-7, 0.01),
  /** Three blocks forward and backward, whose sums over up to 400 rows run in another order. */
  TRAINING_STEP(3e-5, 5e-2, 1e-3);

  private final double float32;
  private final double bfloat16;
  private final double unit;

  Tolerance(double float32, double bfloat16, double unit) {
    this.float32 = float32;
    this.bfloat16 = bfloat16;
    this.unit = unit;
  }

  /** The bound for a backend that stores activations so. */
  public double bound(Precision precision) {
    return precision == Precision.FLOAT32 ? float32 : bfloat16;
  }

  /** Asserts that a tensor is as near as this tolerance asks; NaN and infinities must agree. */
  void check(String what, HostTensor actual, HostTensor expected, Precision precision) {
    check(what, actual, expected.toDoubles(), precision);
  }

  /** The same against doubles, in the tensor's order. */
  void check(String what, HostTensor actual, double[] expected, Precision precision) {
    assertThat(actual.values()).as(what).hasSize(expected.length);
    double scale = Math.max(rootMeanSquare(expected), unit);
    for (int i = 0; i < expected.length; i++) {
      double found = actual.values()[i];
      double wanted = expected[i];
      boolean near =
          Math.abs(found - wanted) <= bound(precision) * (Math.abs(wanted) + scale)
              || Double.compare(found, wanted) == 0;
      if (!near) {
        throw new AssertionError(
            "%s[%d, %d] is %s, expected %s; off by %.2g of %s's %.2g"
                .formatted(
                    what,
                    i / actual.cols(),
                    i % actual.cols(),
                    found,
                    wanted,
                    Math.abs(found - wanted) / (Math.abs(wanted) + scale),
                    this,
                    bound(precision)));
      }
    }
  }

  private static double rootMeanSquare(double[] values) {
    double squares = 0;
    int finite = 0;
    for (double value : values) {
      if (Double.isFinite(value)) {
        squares += value * value;
        finite++;
      }
    }
    return finite == 0 ? 0 : Math.sqrt(squares / finite);
  }
}
