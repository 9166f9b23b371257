package io.mola.cli.settings;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** The name a user most likely meant. */
public final class Nearest {
  private Nearest() {}

  /**
   * The candidate of smallest edit distance (insertions, deletions, substitutions), if that is at
   * most a third of the longer name.
   */
  public static Optional<String> to(String name, Collection<String> candidates) {
    return candidates.stream()
        .filter(other -> 3 * distance(name, other) <= Math.max(name.length(), other.length()))
        .min(Comparator.comparingInt(other -> distance(name, other)));
  }

  /** {@code ; did you mean NAME?}, or nothing. */
  public static String hint(String name, Collection<String> candidates) {
    return to(name, candidates).map(other -> "; did you mean " + other + "?").orElse("");
  }

  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
