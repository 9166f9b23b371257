package io.mola.cli;

import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Progress of training on the error stream: a bar on a terminal, otherwise a line about every
 * twentieth of the run.
 */
final class ProgressView implements TrainingListener, AutoCloseable {
  private static final int LINES = 20;
  private static final int UPDATE_MILLIS = 200;

  private final BooleanSupplier stop;
  private final boolean terminal;
  private @Nullable ProgressBar bar;
  private int firstStep;
  private int totalSteps;
  private long start;
  private long warmTokens;
  private long warmNanos;

  /**
   * @param stop whether the user wants an end
   * @param terminal whether the error stream is one
   */
  ProgressView(BooleanSupplier stop, boolean terminal) {
    this.stop = stop;
    this.terminal = terminal;
  }

  @Override
  public void started(int firstStep, int totalSteps) {
    this.firstStep = firstStep;
    this.totalSteps = totalSteps;
    start = System.nanoTime();
    if (terminal) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("training")
              .setInitialMax(totalSteps)
              .startsFrom(firstStep, Duration.ZERO)
              .setUpdateIntervalMillis(UPDATE_MILLIS)
              .setStyle(ProgressBarStyle.ASCII)
              .setConsumer(new ConsoleProgressBarConsumer(System.err))
              .build();
    }
  }

  @Override
  public void step(StepReport report) {
    if (report.step() > firstStep) {
      warmTokens += report.tokens();
      warmNanos += report.nanos();
    }
    int done = report.step() + 1;
    if (bar != null) {
      bar.setExtraMessage(" " + figures(report));
      bar.stepTo(done);
    } else if (report.step() == firstStep
        || done == totalSteps
        || done % Math.max(1, totalSteps / LINES) == 0) {
      double elapsed = (System.nanoTime() - start) / 1e9;
      System.err.printf(
          Locale.ROOT,
          "step %d/%d  %s  %.0f s left%n",
          done,
          totalSteps,
          figures(report),
          elapsed / (done - firstStep) * (totalSteps - done));
    }
  }

  private String figures(StepReport report) {
    double speed =
        warmNanos > 0 ? warmTokens * 1e9 / warmNanos : report.tokens() * 1e9 / report.nanos();
    return String.format(Locale.ROOT, "loss %.4f  %,.0f tokens/s", report.loss(), speed);
  }

  @Override
  public void evaluated(int step, double loss) {
    pause();
    System.err.printf(
        Locale.ROOT, "loss of the held-back examples after %d steps: %.4f%n", step, loss);
  }

  @Override
  public boolean stopRequested() {
    return stop.getAsBoolean();
  }

  private void pause() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  @Override
  public void close() {
    pause();
  }
}
