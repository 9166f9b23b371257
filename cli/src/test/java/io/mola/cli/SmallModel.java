package io.mola.cli;

import io.mola.testdata.embedded.RandomBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A random model of two layers and a few examples, made for process tests. */
final class SmallModel {
  private SmallModel() {}

  /** Writes the model. */
  static Path write(Path file, long seed) {
    RandomBase.main(
        new String[] {file.toString(), Long.toString(seed), "32", "64", "2", "2", "0.2", "1.0"});
    return file;
  }

  /** Writes so many examples of tokens. */
  static Path examples(Path file, int count) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < count; i++) {
      int a = 3 + i % 7;
      int b = 5 + i % 11;
      lines.append(
          "{\"input_ids\": [%d, %d, %d, %d], \"labels\": [-100, -100, %d, %d]}\n"
              .formatted(a, b, a, b, a, b));
    }
    return Files.writeString(file, lines);
  }
}
