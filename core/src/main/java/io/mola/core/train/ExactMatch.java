package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.generate.Generator;
import io.mola.core.generate.Sampling;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.IntPredicate;

/** Share of examples whose greedy answer is token for token the expected one. */
public final class ExactMatch {
  private final Generator generator;
  private final IntPredicate stop;

  /**
   * @param generator with room for the longest example and one token
   * @param stop end of an answer
   */
  public ExactMatch(Generator generator, IntPredicate stop) {
    this.generator = generator;
    this.stop = stop;
  }

  /** The share, 0 to 1; empty if no example is one prompt followed by one answer. */
  public OptionalDouble of(List<Example> examples) {
    int asked = 0;
    int right = 0;
    for (Example example : examples) {
      int begin = answerBegin(example);
      if (begin > 0) {
        asked++;
        right += answers(example, begin) ? 1 : 0;
      }
    }
    return asked == 0 ? OptionalDouble.empty() : OptionalDouble.of((double) right / asked);
  }

  /** First position of the answer; 0 if the labels are not one run up to the end after a prompt. */
  private static int answerBegin(Example example) {
    int[] labels = example.labels();
    int begin = 0;
    while (begin < labels.length && labels[begin] == Example.IGNORE) {
      begin++;
    }
    boolean oneRun =
        Arrays.stream(labels, begin, labels.length).noneMatch(label -> label == Example.IGNORE);
    return oneRun && begin < labels.length ? begin : 0;
  }

  private boolean answers(Example example, int begin) {
    int[] tokens = example.tokens();
    int end = tokens.length;
    boolean stops = stop.test(tokens[end - 1]);
    int[] expected = Arrays.copyOfRange(tokens, begin, stops ? end - 1 : end);
    int[] prompt = Arrays.copyOf(tokens, begin);
    int room = expected.length + (stops ? 1 : 0);
    int[] answer = generator.generate(prompt, room, Sampling.GREEDY, stop, id -> {});
    return Arrays.equals(answer, expected);
  }
}
