package io.mola.core.train;

import io.mola.core.train.OptimizerConfig.Schedule;

/**
 * The learning rate of each optimiser step: a linear rise from 0 to {@code peak} over the warm-up,
 * then the schedule's shape. Same values as the schedules of Hugging Face transformers.
 *
 * @param schedule shape after the warm-up; {@link Schedule#CONSTANT} has no warm-up
 * @param peak highest rate
 * @param warmupSteps steps of the rise; 0: the first rate is {@code peak}, otherwise it is 0
 * @param totalSteps steps of the run, warm-up included
 */
public record LearningRate(Schedule schedule, double peak, int warmupSteps, int totalSteps) {
  /** Checks the ranges. */
  public LearningRate {
    if (!(peak >= 0 && peak < Double.POSITIVE_INFINITY) || warmupSteps < 0 || totalSteps < 1) {
      throw new IllegalArgumentException(
          "peak " + peak + ", warm-up " + warmupSteps + ", total steps " + totalSteps);
    }
  }

  /** The rates of a run of {@code totalSteps} steps. */
  public static LearningRate of(OptimizerConfig config, int totalSteps) {
    return new LearningRate(
        config.schedule(), config.learningRate(), config.warmupSteps(), totalSteps);
  }

  /**
   * The rate of optimiser step {@code step}, counted from 0. With x = (step − warmup) / (total −
   * warmup):
   *
   * <pre>{@code
   * warm-up   peak · step / warmup
   * linear    peak · max(0, (total − step) / (total − warmup))
   * cosine    peak · (1 + cos(π x)) / 2
   * constant  peak
   * }</pre>
   */
  public double at(int step) {
    if (schedule == Schedule.CONSTANT) {
      return peak;
    }
    if (step < warmupSteps) {
      return peak * ((double) step / warmupSteps);
    }
    double decaySteps = Math.max(1, totalSteps - warmupSteps);
    return switch (schedule) {
      case LINEAR -> peak * Math.max(0, (totalSteps - step) / decaySteps);
      case COSINE -> peak * (1 + Math.cos(Math.PI * (step - warmupSteps) / decaySteps)) / 2;
      case CONSTANT, CONSTANT_WITH_WARMUP -> peak;
    };
  }
}
