package io.mola.core.data;

import java.util.List;

/**
 * Examples and what happened to the others.
 *
 * @param examples that are used, in the order of the file
 * @param dropped places of examples that were left out as too long
 * @param truncated places of examples that were cut
 */
public record DataSet(List<Example> examples, List<String> dropped, List<String> truncated) {
  /** Copies the lists. */
  public DataSet {
    examples = List.copyOf(examples);
    dropped = List.copyOf(dropped);
    truncated = List.copyOf(truncated);
  }

  /** Tokens of all examples. */
  public long tokens() {
    return examples.stream().mapToLong(Example::length).sum();
  }

  /** Targets of all examples. */
  public long targets() {
    return examples.stream().mapToLong(Example::targets).sum();
  }

  /** Tokens of the longest example. */
  public int longest() {
    return examples.stream().mapToInt(Example::length).max().orElse(0);
  }

  /** One line per kind of loss, for people; empty if nothing was lost. */
  public List<String> remarks() {
    return java.util.stream.Stream.of(
            remark("left out as too long", dropped), remark("cut", truncated))
        .filter(line -> !line.isEmpty())
        .toList();
  }

  private static String remark(String what, List<String> places) {
    return places.isEmpty()
        ? ""
        : "%d examples were %s: %s".formatted(places.size(), what, String.join(", ", places));
  }
}
