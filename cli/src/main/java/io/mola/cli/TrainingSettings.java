package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.failure.UsageException;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The numbers of a training run.
 *
 * @param batchSize examples of an optimiser step
 * @param microBatchSize examples that run at a time; the most of them if that is automatic
 * @param automatic whether the memory plan chooses how many run at a time
 * @param epochs passes over the examples
 * @param maxSteps bound of the steps; 0: none
 */
record TrainingSettings(
    int batchSize, int microBatchSize, boolean automatic, int epochs, int maxSteps) {
  /** Their keys. */
  static final List<Key<?>> KEYS =
      List.of(
          Keys.LEARNING_RATE,
          Keys.LR_SCHEDULER_TYPE,
          Keys.WARMUP_STEPS,
          Keys.WARMUP_RATIO,
          Keys.BATCH_SIZE,
          Keys.MICRO_BATCH_SIZE,
          Keys.GRADIENT_ACCUMULATION_STEPS,
          Keys.NUM_EPOCHS,
          Keys.MAX_STEPS,
          Keys.WEIGHT_DECAY,
          Keys.ADAM_BETA1,
          Keys.ADAM_BETA2,
          Keys.ADAM_EPSILON,
          Keys.MAX_GRAD_NORM,
          Keys.GRADIENT_CHECKPOINTING,
          Keys.VAL_SET_SIZE,
          Keys.SEED);

  /**
   * Derives the batch sizes: any two of effective batch, micro-batch and accumulation give the
   * third.
   *
   * @throws UsageException if they disagree, or the effective batch is given alone
   */
  static TrainingSettings of(Settings settings) {
    Optional<Integer> batch = settings.given(Keys.BATCH_SIZE);
    Optional<Integer> micro = settings.given(Keys.MICRO_BATCH_SIZE);
    Optional<Integer> accumulation = settings.given(Keys.GRADIENT_ACCUMULATION_STEPS);
    if (micro.isPresent() && micro.get() == Keys.AUTOMATIC) {
      return automatic(settings, batch, accumulation);
    }
    if (batch.isPresent() && micro.isEmpty() && accumulation.isEmpty()) {
      throw new UsageException(
          settings.place(Keys.BATCH_SIZE)
              + ": some tools mean the examples of an optimiser step, others those computed at"
              + " once; here it is the former, so give --micro-batch-size too");
    }
    int microSize =
        micro.orElseGet(
            () -> batch.map(b -> divided(b, accumulation.orElse(1), settings)).orElse(1));
    int steps =
        accumulation.orElseGet(() -> batch.map(b -> divided(b, microSize, settings)).orElse(1));
    long effective = (long) microSize * steps;
    if (effective > Integer.MAX_VALUE) {
      throw new UsageException(
          settings.place(Keys.GRADIENT_ACCUMULATION_STEPS)
              + ": an optimiser step of "
              + effective
              + " examples is too large; lower it or --micro-batch-size");
    }
    if (batch.isPresent() && batch.get() != effective) {
      throw new UsageException(
          settings.place(Keys.BATCH_SIZE)
              + " "
              + batch.get()
              + " is not micro_batch_size "
              + microSize
              + " x gradient_accumulation_steps "
              + steps);
    }
    return new TrainingSettings(
        (int) effective,
        microSize,
        false,
        epochs(settings),
        settings.find(Keys.MAX_STEPS).orElse(0));
  }

  private static TrainingSettings automatic(
      Settings settings, Optional<Integer> batch, Optional<Integer> accumulation) {
    if (batch.isEmpty() || accumulation.isPresent()) {
      throw new UsageException(
          settings.place(Keys.MICRO_BATCH_SIZE)
              + " auto divides the examples of an optimiser step: give --batch-size, and no"
              + " --gradient-accumulation-steps");
    }
    return new TrainingSettings(
        batch.get(), batch.get(), true, epochs(settings), settings.find(Keys.MAX_STEPS).orElse(0));
  }

  /** A bound of the steps that stands alone is their number, however often the data is repeated. */
  private static int epochs(Settings settings) {
    boolean byStepsAlone =
        settings.given(Keys.MAX_STEPS).isPresent() && settings.given(Keys.NUM_EPOCHS).isEmpty();
    return byStepsAlone ? Integer.MAX_VALUE : settings.get(Keys.NUM_EPOCHS);
  }

  private static int divided(int batch, int by, Settings settings) {
    if (batch % by != 0) {
      throw new UsageException(
          settings.place(Keys.BATCH_SIZE) + " " + batch + " is not a multiple of " + by);
    }
    return batch / by;
  }

  /** Micro-batches of an effective batch. */
  int microBatches() {
    return batchSize / microBatchSize;
  }

  /**
   * Optimiser steps of a run over so many examples.
   *
   * @throws UsageException if they are too many to be counted
   */
  int steps(int examples) {
    long all = (long) Math.ceilDiv(examples, batchSize) * epochs;
    long steps = maxSteps == 0 ? all : Math.min(maxSteps, all);
    if (steps > Integer.MAX_VALUE) {
      throw new UsageException(
          Keys.NUM_EPOCHS.flag()
              + ": "
              + epochs
              + " passes over "
              + examples
              + " examples are more than "
              + Integer.MAX_VALUE
              + " steps; lower it");
    }
    return (int) steps;
  }

  /** AdamW and its schedule for so many steps. */
  static OptimizerConfig optimizer(Settings settings, int steps) {
    Schedule schedule =
        Schedule.valueOf(
            settings.get(Keys.LR_SCHEDULER_TYPE).replace('-', '_').toUpperCase(Locale.ROOT));
    if (settings.given(Keys.WARMUP_STEPS).isPresent()
        && settings.given(Keys.WARMUP_RATIO).isPresent()) {
      throw new UsageException(
          settings.place(Keys.WARMUP_STEPS)
              + " and "
              + settings.place(Keys.WARMUP_RATIO)
              + " both say how long the warm-up is; give one");
    }
    int warmup =
        settings
            .find(Keys.WARMUP_STEPS)
            .orElseGet(() -> (int) Math.ceil(settings.get(Keys.WARMUP_RATIO) * steps));
    return new OptimizerConfig(
        settings.get(Keys.LEARNING_RATE),
        schedule,
        schedule == Schedule.CONSTANT ? 0 : Math.min(warmup, Math.max(0, steps - 1)),
        settings.get(Keys.ADAM_BETA1),
        settings.get(Keys.ADAM_BETA2),
        settings.get(Keys.ADAM_EPSILON),
        settings.get(Keys.WEIGHT_DECAY),
        settings.get(Keys.MAX_GRAD_NORM));
  }

  /** Whether examples that begin alike share their beginnings. */
  static Prefixes prefixes(Settings settings) {
    return settings.get(Keys.SHARE_PREFIX) ? Prefixes.SHARED : Prefixes.REPEATED;
  }

  /** Whether blocks are computed again even where memory would suffice. */
  static boolean recompute(Settings settings) {
    String choice = settings.get(Keys.GRADIENT_CHECKPOINTING);
    return choice.equals("on") || choice.equals("true");
  }
}
