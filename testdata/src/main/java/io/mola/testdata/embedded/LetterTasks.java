package io.mola.testdata.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Small tasks on words of random letters whose answers can be counted as right or wrong. The base
 * model is grown on five of them; {@code reverse} is kept for the user's first fine-tuning.
 *
 * <p>One line of prompt/completion JSONL per example: {@code {"prompt":"double cab:",
 * "completion":"ccaabb"}}.
 */
public final class LetterTasks {
  private static final int SHORTEST = 3;
  private static final int LONGEST = 5;

  /** A task. */
  enum Task {
    COPY,
    FIRST,
    LAST,
    DOUBLE,
    NEXT,
    REVERSE;

    String answer(String word) {
      return switch (this) {
        case COPY -> word;
        case FIRST -> word.substring(0, 1);
        case LAST -> word.substring(word.length() - 1);
        case DOUBLE -> doubled(word);
        case NEXT -> next(word);
        case REVERSE -> new StringBuilder(word).reverse().toString();
      };
    }

    String line(String word) {
      return "{\"prompt\":\"%s %s:\",\"completion\":\"%s\"}"
          .formatted(name().toLowerCase(Locale.ROOT), word, answer(word));
    }
  }

  private static final List<Task> GROWN_ON =
      List.of(Task.COPY, Task.FIRST, Task.LAST, Task.DOUBLE, Task.NEXT);

  private LetterTasks() {}

  /**
   * Writes {@code grow.jsonl} (five tasks), {@code reverse-train.jsonl} and {@code
   * reverse-test.jsonl} (no word in common).
   *
   * @param args folder, seed, examples to grow on, reverse examples to train on, to test on
   */
  public static void main(String[] args) {
    Path folder = Path.of(args[0]);
    SplittableRandom random = new SplittableRandom(Long.parseLong(args[1]));
    int grow = Integer.parseInt(args[2]);
    int train = Integer.parseInt(args[3]);
    int test = Integer.parseInt(args[4]);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < grow; i++) {
      lines.add(GROWN_ON.get(i % GROWN_ON.size()).line(word(random)));
    }
    write(folder.resolve("grow.jsonl"), lines);
    Set<String> words = new LinkedHashSet<>();
    while (words.size() < train + test) {
      words.add(word(random));
    }
    List<String> reverse = words.stream().map(Task.REVERSE::line).toList();
    write(folder.resolve("reverse-train.jsonl"), reverse.subList(0, train));
    write(folder.resolve("reverse-test.jsonl"), reverse.subList(train, train + test));
  }

  private static String word(SplittableRandom random) {
    int length = random.nextInt(SHORTEST, LONGEST + 1);
    StringBuilder word = new StringBuilder();
    for (int i = 0; i < length; i++) {
      word.append((char) ('a' + random.nextInt(26)));
    }
    return word.toString();
  }

  private static String doubled(String word) {
    StringBuilder answer = new StringBuilder();
    word.chars().forEach(c -> answer.append((char) c).append((char) c));
    return answer.toString();
  }

  private static String next(String word) {
    StringBuilder answer = new StringBuilder();
    word.chars().forEach(c -> answer.append(c == 'z' ? 'a' : (char) (c + 1)));
    return answer.toString();
  }

  private static void write(Path file, List<String> lines) {
    try {
      Files.writeString(file, String.join("\n", lines) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
