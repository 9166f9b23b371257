package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.failure.MolaException;
import io.mola.core.train.TrainingStep.Measured;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** The loop: batch, losses and gradients, update, listener. */
public final class Trainer {
  private final TrainingStep step;
  private final BatchSource batches;
  private final LearningRate rates;
  private final int microBatchSize;
  private final Prefixes prefixes;
  private final TrainingListener listener;

  /**
   * @param microBatchSize examples that run at a time; gradients add up over an effective batch
   * @param prefixes of the examples of a micro-batch
   */
  public Trainer(
      TrainingStep step,
      BatchSource batches,
      LearningRate rates,
      int microBatchSize,
      Prefixes prefixes,
      TrainingListener listener) {
    this.step = step;
    this.batches = batches;
    this.rates = rates;
    this.microBatchSize = microBatchSize;
    this.prefixes = prefixes;
    this.listener = listener;
  }

  /**
   * Runs until the last step or until the listener asks to stop.
   *
   * @return one report per step that was done
   * @throws MolaException if a loss or gradient is not a finite number; it names step and examples
   */
  public List<StepReport> run() {
    List<StepReport> reports = new ArrayList<>();
    listener.started(batches.steps());
    for (int s = 0; s < batches.steps() && !listener.stopRequested(); s++) {
      long start = System.nanoTime();
      List<Example> batch = batches.batch(s);
      Measured measured =
          step.gradients(BatchBuilder.microBatches(batch, microBatchSize, prefixes), s, true);
      requireFinite(measured, s, batch);
      double rate = rates.at(s);
      step.update(rate, s + 1);
      StepReport report =
          new StepReport(
              s,
              measured.loss(),
              measured.balance(),
              measured.gradientNorm(),
              rate,
              measured.tokens(),
              measured.targets(),
              System.nanoTime() - start);
      reports.add(report);
      listener.step(report);
    }
    return reports;
  }

  private static void requireFinite(Measured measured, int s, List<Example> batch) {
    if (Double.isFinite(measured.loss()) && Double.isFinite(measured.gradientNorm())) {
      return;
    }
    throw new MolaException(
        "step %d: loss %s and gradient norm %s; no update was made. Examples: %s. Lower the learning rate or check these examples"
            .formatted(
                s + 1,
                measured.loss(),
                measured.gradientNorm(),
                batch.stream().map(Example::origin).limit(8).collect(Collectors.joining(", "))));
  }
}
