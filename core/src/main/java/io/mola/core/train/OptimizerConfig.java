package io.mola.core.train;

/**
 * Settings of AdamW and its schedule.
 *
 * @param learningRate peak rate
 * @param schedule how the rate falls after the warm-up
 * @param warmupSteps steps of linear warm-up; the first rate is 0
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root
 * @param weightDecay decoupled decay
 * @param maxGradNorm clipping bound of the global norm; 0: no clipping
 */
public record OptimizerConfig(
    double learningRate,
    Schedule schedule,
    int warmupSteps,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    double maxGradNorm) {

  /** Shape of the learning rate after the warm-up. */
  public enum Schedule {
    /** peak (total - t) / (total - warmup). */
    LINEAR,
    /** peak (1 + cos(pi x)) / 2, x from 0 to 1 over the steps after the warm-up. */
    COSINE,
    /** peak, without warm-up. */
    CONSTANT,
    /** peak after the warm-up. */
    CONSTANT_WITH_WARMUP
  }
}
