package io.mola.core.failure;

/**
 * A failure the user can act on. The message is one line that names the file or key, the place and
 * the remedy; no stack trace is needed to understand it.
 */
public class MolaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A failure while running: the program ends with exit code 1. */
  public MolaException(String message) {
    super(message);
  }

  /** The same with its cause, shown with {@code --verbose}. */
  public MolaException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Exit code of the program when this failure ends it: 1, a failure while running. */
  public int exitCode() {
    return 1;
  }
}
