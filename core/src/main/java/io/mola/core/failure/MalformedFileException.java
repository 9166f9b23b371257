package io.mola.core.failure;

import java.nio.file.Path;

/** A file that is damaged, hostile, or of a kind that is not supported: exit code 2. */
public class MalformedFileException extends UsageException {
  private static final long serialVersionUID = 1L;

  /**
   * The message becomes {@code file: fault}.
   *
   * @param file the file as the user named it
   * @param fault what is wrong and where in the file (key, tensor, offset, line)
   */
  public MalformedFileException(Path file, String fault) {
    super(file + ": " + fault);
  }

  /**
   * A fault found where only the tensor is known, not its file.
   *
   * @param message names the tensor, the place and the remedy
   */
  public MalformedFileException(String message) {
    super(message);
  }

  /** As with a file and a fault, and the cause. */
  public MalformedFileException(Path file, String fault, Throwable cause) {
    super(file + ": " + fault, cause);
  }
}
