package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Judges which greedy answers are token for token the expected ones, without generating them: as
 * long as every choice so far was the expected token, the next choice of greedy decoding is the
 * likeliest token after the expected beginning, and one forward pass over prompt and answer gives
 * all of those at once.
 */
final class ExactMatch {
  private static final int SPAN = 4;

  private final IntPredicate stop;

  /**
   * @param stop whether a token ends an answer: where a stop token is expected, any will do
   */
  ExactMatch(IntPredicate stop) {
    this.stop = stop;
  }

  /** Whether an example is one prompt followed by one answer that reaches its end. */
  static boolean asks(Example example) {
    int[] tokens = example.tokens();
    int[] labels = example.labels();
    int begin = 0;
    while (begin < labels.length && labels[begin] == Example.IGNORE) {
      begin++;
    }
    return begin > 0
        && begin < labels.length
        && Arrays.equals(tokens, begin, tokens.length, labels, begin, labels.length);
  }

  /**
   * Number of examples of a batch whose choices are all as expected.
   *
   * @param batch of examples that {@link #asks} accepts
   * @param choices likeliest token of each labelled row
   */
  int right(TokenBatch batch, int[] choices) {
    int[] labels = new int[batch.size()];
    Arrays.fill(labels, -1);
    for (int i = 0; i < batch.labelled(); i++) {
      labels[batch.labelledRows()[i]] = i;
    }
    int right = 0;
    for (int row = 0; row < batch.size(); row++) {
      boolean endsAnExample = span(batch, row, 3) == row + 1; // a prefix has further readers
      if (endsAnExample && isRight(batch, row, labels, choices)) {
        right++;
      }
    }
    return right;
  }

  private boolean isRight(TokenBatch batch, int end, int[] labels, int[] choices) {
    return areRight(batch, span(batch, end, 0), span(batch, end, 1), end, labels, choices)
        && areRight(batch, span(batch, end, 2), end, end, labels, choices);
  }

  private boolean areRight(
      TokenBatch batch, int from, int to, int end, int[] labels, int[] choices) {
    for (int row = from; row < to; row++) {
      boolean last = batch.positions()[row] + 1 == batch.positions()[end];
      int label = labels[row];
      if (label >= 0 && !isRight(batch.targets()[label], choices[label], last)) {
        return false;
      }
    }
    return true;
  }

  /** A stop token within an answer would have ended it early. */
  private boolean isRight(int expected, int choice, boolean last) {
    return stop.test(expected) ? last && stop.test(choice) : choice == expected;
  }

  private static int span(TokenBatch batch, int row, int field) {
    return batch.spans()[SPAN * row + field];
  }
}
