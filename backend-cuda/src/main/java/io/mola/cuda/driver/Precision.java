package io.mola.cuda.driver;

/** What activations are stored as and what products multiply; sums are float32 always. */
public enum Precision {
  /** bfloat16 activations and operands: tensor cores at full rate. */
  BF16(Element.BF16),
  /** float32 activations, operands rounded to 10 bits of mantissa within tensor cores. */
  TF32(Element.F32),
  /** float32 throughout, no tensor cores. */
  F32(Element.F32);

  private final Element activation;

  Precision(Element activation) {
    this.activation = activation;
  }

  /** How an activation, or an operand of a product, is stored. */
  public Element activation() {
    return activation;
  }
}
