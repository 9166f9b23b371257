package io.mola.core.failure;

import java.nio.file.Path;

/** A file that is damaged, hostile, or of a kind that is not supported: exit code 2. */
public class MalformedFileException extends UsageException {
  private static final long serialVersionUID = 1L;
  private static final int LONGEST = 600;

  /**
   * The message becomes {@code file: fault}.
   *
   * @param file the file as the user named it
   * @param fault what is wrong and where in the file (key, tensor, offset, line)
   */
  public MalformedFileException(Path file, String fault) {
    super(file + ": " + printable(fault));
  }

  /**
   * A fault found where only the tensor is known, not its file.
   *
   * @param message names the tensor, the place and the remedy
   */
  public MalformedFileException(String message) {
    super(printable(message));
  }

  /** As with a file and a fault, and the cause. */
  public MalformedFileException(Path file, String fault, Throwable cause) {
    super(file + ": " + printable(fault), cause);
  }

  /**
   * Names and values of a hostile file may hold line breaks, terminal control codes or megabytes of
   * text; a message is one line of people's size.
   */
  private static String printable(String text) {
    StringBuilder line = new StringBuilder();
    text.codePoints()
        .limit(LONGEST)
        .forEach(c -> {
          if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
            line.append("\\u%04x".formatted(c));
          } else {
            line.appendCodePoint(c);
          }
        });
    return text.length() > LONGEST ? line.append("...").toString() : line.toString();
  }
}
