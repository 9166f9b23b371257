package io.mola.cli;

import java.util.concurrent.CompletableFuture;

/**
 * Ctrl-C (or the system's SIGTERM) while something is under way that must not be cut in the middle.
 * The Java runtime ends when its shutdown hooks have ended; the hook of this class asks the work to
 * stop, waits until the program has finished, and ends with the program's own exit code, so that
 * 130 means "stopped in good order" and a failure while saving is a failure.
 */
final class Interruption implements AutoCloseable {
  /** 128 + SIGINT. */
  static final int EXIT_CODE = 130;

  private static final CompletableFuture<Integer> EXIT = new CompletableFuture<>();

  private volatile boolean requested;
  private volatile boolean closed;

  /** From now until {@link #close} an interruption waits for the end of the program. */
  Interruption() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "interruption"));
  }

  /** Ends the program, also where an interruption is ending it already. */
  static void exit(int code) {
    EXIT.complete(code);
    System.exit(code);
  }

  /** Whether the user wants an end. */
  boolean requested() {
    return requested;
  }

  private void stop() {
    if (closed || EXIT.isDone()) {
      return;
    }
    requested = true;
    System.err.println();
    System.err.println("mola: interrupted; finishing the step and saving ...");
    int code = EXIT.join();
    System.out.flush();
    System.err.flush();
    Runtime.getRuntime().halt(code);
  }

  /** The work has ended; an interruption that comes now ends the program as usual. */
  @Override
  public void close() {
    closed = true;
  }
}
