package io.mola.core.data;

/**
 * One training sequence.
 *
 * @param tokens token ids
 * @param labels same length; {@link #IGNORE} where nothing is learnt. {@code labels[t]} is
 *     predicted from position t - 1, so {@code labels[0]} never counts
 * @param origin {@code file:line} for messages
 */
public record Example(int[] tokens, int[] labels, String origin) {
  /** Label of a position that is not a target. */
  public static final int IGNORE = -100;

  /** Checks the lengths. */
  public Example {
    if (tokens.length != labels.length) {
      throw new IllegalArgumentException(
          origin + ": " + tokens.length + " tokens but " + labels.length + " labels");
    }
  }

  /** Number of tokens. */
  public int length() {
    return tokens.length;
  }

  /** Number of targets. */
  public int targets() {
    int count = 0;
    for (int t = 1; t < labels.length; t++) {
      if (labels[t] != IGNORE) {
        count++;
      }
    }
    return count;
  }
}
