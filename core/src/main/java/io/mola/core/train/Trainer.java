package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.failure.MolaException;
import io.mola.core.train.TrainingStep.Measured;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The loop: batch, losses and gradients, update, listener. */
public final class Trainer {
  private final TrainingStep step;
  private final BatchSource batches;
  private final LearningRate rates;
  private final MicroBatches microBatches;
  private final TrainingListener listener;
  private final @Nullable CheckpointWriter checkpoints;

  /**
   * @param microBatches how an effective batch is cut; gradients add up over its parts
   * @param checkpoints told after every step; null: none are kept
   */
  Trainer(
      TrainingStep step,
      BatchSource batches,
      LearningRate rates,
      MicroBatches microBatches,
      TrainingListener listener,
      @Nullable CheckpointWriter checkpoints) {
    this.step = step;
    this.batches = batches;
    this.rates = rates;
    this.microBatches = microBatches;
    this.listener = listener;
    this.checkpoints = checkpoints;
  }

  /**
   * Runs until the last step or until the listener asks to stop; then the last state is kept too.
   *
   * @param first step to begin with, from 0
   * @return one report per step that was done
   * @throws MolaException if a loss or gradient is not a finite number; it names step and examples
   */
  List<StepReport> run(int first) {
    List<StepReport> reports = new ArrayList<>();
    listener.started(first, batches.steps());
    for (int s = first; s < batches.steps() && !listener.stopRequested(); s++) {
      listener.stepBegins();
      long start = System.nanoTime();
      List<Example> batch = batches.batch(s);
      Measured measured = step.gradients(microBatches.of(batch), s, true);
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
      if (checkpoints != null) {
        checkpoints.afterStep(s + 1);
      }
    }
    int done = first + reports.size();
    if (checkpoints != null && !reports.isEmpty() && done < batches.steps()) {
      checkpoints.save(done);
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
