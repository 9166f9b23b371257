package io.mola.core.backend;

import io.mola.core.tensor.Tensor;

/** Updates of trainable parameters, which live in one flat tensor. */
public interface OptimizerOps {
  /**
   * AdamW (Loshchilov, Hutter 2019), elementwise: {@code p *= 1 − rate·weightDecay; m = β1 m +
   * (1−β1) g; v = β2 v + (1−β2) g²; p −= rate · (m/(1−β1ᵗ)) / (sqrt(v/(1−β2ᵗ)) + ε)}.
   */
  void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step);

  /**
   * {@code sum[1,1] += ‖g‖²}, in fixed chunks and a fixed order, accumulated in double or better
   * than 1e-7 relative.
   */
  void squaredNorm(Tensor gradient, Tensor sum);

  /**
   * {@code g *= min(1, maxNorm / (sqrt(squaredNorm[0,0]) + 1e-6))}, the factor computed on the
   * device.
   */
  void clip(Tensor gradient, Tensor squaredNorm, float maxNorm);

  /**
   * Settings of one step.
   *
   * @param rate learning rate
   * @param beta1 decay of the first moment
   * @param beta2 decay of the second moment
   * @param epsilon added to the root
   * @param weightDecay decoupled decay
   * @param t step number from 1
   */
  record AdamWStep(
      double rate, double beta1, double beta2, double epsilon, double weightDecay, int t) {}
}
