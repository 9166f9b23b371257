package io.mola.cli;

import io.mola.core.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds out before a long run whether its result can be written. */
final class OutputFolder {
  private OutputFolder() {}

  /**
   * Makes the folder if it is missing, and a file in it that is deleted at once.
   *
   * @throws UsageException if either cannot be made
   */
  static void requireWritable(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.delete(Files.createTempFile(folder, ".mola-", ".tmp"));
    } catch (IOException e) {
      throw new UsageException(
          folder + ": cannot be written (" + e + "); choose another --output-dir", e);
    }
  }
}
