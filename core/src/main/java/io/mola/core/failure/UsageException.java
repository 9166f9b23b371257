package io.mola.core.failure;

/** Wrong usage, configuration or input data: exit code 2. */
public class UsageException extends MolaException {
  private static final long serialVersionUID = 1L;

  /** What is wrong, where, and how to mend it. */
  public UsageException(String message) {
    super(message);
  }

  /** The same with its cause, shown with {@code --verbose}. */
  public UsageException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public int exitCode() {
    return 2;
  }
}
