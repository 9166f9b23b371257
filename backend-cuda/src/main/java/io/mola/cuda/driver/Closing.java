package io.mola.cuda.driver;

import org.jspecify.annotations.Nullable;

/**
 * Several steps of giving something back: all of them run, and then the first failure is thrown.
 */
public final class Closing {
  private @Nullable RuntimeException first;

  /** Runs a step. */
  public Closing step(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException e) {
      if (first == null) {
        first = e;
      } else {
        first.addSuppressed(e);
      }
    }
    return this;
  }

  /** Throws what failed first, if anything did. */
  public void finish() {
    if (first != null) {
      throw first;
    }
  }

  /** Gives back what a failed start had taken; what fails then is added to the reason. */
  public static <E extends Throwable> E after(E reason, Runnable giveBack) {
    try {
      giveBack.run();
    } catch (RuntimeException e) {
      reason.addSuppressed(e);
    }
    return reason;
  }
}
