package io.mola.cuda.driver;

import io.mola.core.backend.InnerPrecision;

/** What activations are stored as and what products multiply; sums are float32 always. */
public enum Precision {
  /** bfloat16 activations and operands: tensor cores at full rate. */
  BF16(Element.BF16, InnerPrecision.BF16),
  /** float32 activations, operands rounded to 10 bits of mantissa within tensor cores. */
  TF32(Element.F32, InnerPrecision.TF32),
  /** float32 throughout, no tensor cores. */
  F32(Element.F32, InnerPrecision.F32);

  private final Element activation;
  private final InnerPrecision inner;

  Precision(Element activation, InnerPrecision inner) {
    this.activation = activation;
    this.inner = inner;
  }

  /** The same as every backend calls it. */
  public InnerPrecision inner() {
    return inner;
  }

  /** How an activation, or an operand of a product, is stored. */
  public Element activation() {
    return activation;
  }
}
