package io.mola.cli;

import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
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
  private final int columns;
  private @Nullable ProgressBar bar;
  private int firstStep;
  private int totalSteps;
  private long start;
  private long warmTokens;
  private long warmNanos;

  /**
   * @param stop whether the user wants an end
   * @param columns width of the terminal that the error stream is; 0: it is none
   */
  ProgressView(BooleanSupplier stop, int columns) {
    this.stop = stop;
    this.columns = columns;
  }

  @Override
  public void started(int firstStep, int totalSteps) {
    this.firstStep = firstStep;
    this.totalSteps = totalSteps;
    start = System.nanoTime();
    if (columns > 0) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("training")
              .setInitialMax(totalSteps)
              .startsFrom(firstStep, Duration.ZERO)
              .setUpdateIntervalMillis(UPDATE_MILLIS)
              .setStyle(ProgressBarStyle.ASCII)
              .setConsumer(new TerminalLine(columns - 1))
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

  /**
   * One line that is written again and again, never longer than the terminal is wide. The library's
   * own consumers ask a terminal for its width; opening one hands SIGINT back to the system, and
   * Ctrl-C would end the process before anything is saved.
   */
  private record TerminalLine(int width) implements ProgressBarConsumer {
    @Override
    public int getMaxRenderedLength() {
      return width;
    }

    @Override
    public void accept(String line) {
      System.err.print("\r" + padded(line, width));
    }

    private static String padded(String line, int width) {
      return line.length() > width
          ? line.substring(0, width)
          : line + " ".repeat(width - line.length());
    }

    @Override
    public void close() {
      System.err.println();
      System.err.flush();
    }
  }
}
