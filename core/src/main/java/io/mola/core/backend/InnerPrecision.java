package io.mola.core.backend;

/**
 * What a backend multiplies and stores activations as; adapters, gradients, optimiser state and
 * sums are float32 everywhere. Whoever judges results needs it: the narrower the numbers, the
 * farther apart two right answers are.
 */
public enum InnerPrecision {
  /** float32 throughout: a relative rounding error of at most 2^-24. */
  F32(0x1p-24),
  /** float32 activations, operands rounded to 11 significant bits within tensor cores: 2^-11. */
  TF32(0x1p-11),
  /** bfloat16 activations and operands, 8 significant bits: 2^-8. */
  BF16(0x1p-8);

  private final double unitRoundoff;

  InnerPrecision(double unitRoundoff) {
    this.unitRoundoff = unitRoundoff;
  }

  /** Largest relative error of rounding a number to it. */
  public double unitRoundoff() {
    return unitRoundoff;
  }
}
