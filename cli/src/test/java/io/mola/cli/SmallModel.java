package io.mola.cli;

import io.mola.testdata.embedded.RandomBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

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
    return examples(file, count, 0);
  }

  /** The same after so many tokens that are the same in all of them. */
  static Path examples(Path file, int count, int preamble) throws IOException {
    String tokens =
        IntStream.range(0, preamble).mapToObj(t -> 4 + t % 9 + ", ").collect(Collectors.joining());
    String labels = "-100, ".repeat(preamble);
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < count; i++) {
      int a = 3 + i % 7;
      int b = 5 + i % 11;
      lines.append(
          "{\"input_ids\": [%s%d, %d, %d, %d], \"labels\": [%s-100, -100, %d, %d]}\n"
              .formatted(tokens, a, b, a, b, labels, a, b));
    }
    return Files.writeString(file, lines);
  }
}
