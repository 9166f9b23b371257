package io.mola.core.train;

/** Told of the progress of a run, on the training thread, between steps. */
public interface TrainingListener {
  /** Everything is allocated; the steps from {@code firstStep} (from 0) to the last follow. */
  default void started(int firstStep, int totalSteps) {}

  /** A step begins: its duration counts from here. */
  default void stepBegins() {}

  /** A step is done. */
  default void step(StepReport report) {}

  /** The held-back examples were evaluated after {@code step} steps. */
  default void evaluated(int step, double loss) {}

  /** Asked before each step: true ends the run in good order. */
  default boolean stopRequested() {
    return false;
  }
}
