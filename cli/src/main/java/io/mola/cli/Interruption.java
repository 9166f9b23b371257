package io.mola.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Ctrl-C while something is under way that must not be cut in the middle. The Java runtime ends
 * when its shutdown hooks have ended, with exit code 130; the hook of this class asks the work to
 * stop and waits until it has.
 */
final class Interruption implements AutoCloseable {
  /** 128 + SIGINT. */
  static final int EXIT_CODE = 130;

  private final CountDownLatch finished = new CountDownLatch(1);
  private final Thread hook = new Thread(this::stop, "interruption");
  private volatile boolean requested;

  /** From now on an interruption waits for {@link #close}. */
  Interruption() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Whether the user wants an end. */
  boolean requested() {
    return requested;
  }

  private void stop() {
    if (finished.getCount() == 0) {
      return;
    }
    requested = true;
    System.err.println();
    System.err.println("mola: interrupted; finishing the step and saving ...");
    try {
      finished.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The work has ended; a runtime that is shutting down may go on with it. */
  @Override
  public void close() {
    finished.countDown();
  }
}
