package io.mola.core.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SharedPrefixesTest {
  private static final int COST = 3;
  private static final int NONE = Example.IGNORE;

  private static Example unlabelled(int... tokens) {
    int[] labels = new int[tokens.length];
    Arrays.fill(labels, NONE);
    return new Example(tokens, labels, Arrays.toString(tokens));
  }

  private static Example learnt(int prompt, int... tokens) {
    int[] labels = tokens.clone();
    Arrays.fill(labels, 0, prompt, NONE);
    return new Example(tokens, labels, Arrays.toString(tokens));
  }

  private static int[] run(int first, int length) {
    return IntStream.range(first, first + length).toArray();
  }

  private static int[] plus(int[] beginning, int... rest) {
    return IntStream.concat(IntStream.of(beginning), IntStream.of(rest)).toArray();
  }

  @Test
  void examplesThatBeginAlikeAreOneGroup() {
    int[] prompt = run(10, 7);
    Example one = unlabelled(plus(prompt, 1, 2));
    Example other = unlabelled(plus(prompt, 3));
    Example alone = unlabelled(run(30, 8));

    assertThat(SharedPrefixes.of(List.of(one, alone, other)))
        .containsExactly(new PrefixGroup(List.of(one, other), 7), PrefixGroup.alone(alone));
  }

  @Test
  void aShortBeginningIsNotWorthItsCost() {
    Example one = unlabelled(1, 2, 3, 4, 5, 6, 7);
    Example other = unlabelled(1, 2, 3, 4, 5, 6, 8, 9);

    assertThat(SharedPrefixes.of(List.of(one, other)))
        .containsExactly(PrefixGroup.alone(one), PrefixGroup.alone(other));
  }

  @Test
  void anExampleKeepsItsLastRow() {
    Example twice = unlabelled(run(1, 12));

    assertThat(SharedPrefixes.of(List.of(twice, twice)))
        .containsExactly(new PrefixGroup(List.of(twice, twice), 11));
  }

  @Test
  void rowsThatPredictDifferentTargetsAreNotShared() {
    int[] prompt = run(10, 9);
    Example yes = learnt(9, plus(prompt, 1));
    Example no = learnt(9, plus(prompt, 2));
    Example unlearnt = unlabelled(plus(prompt, 2));

    assertThat(SharedPrefixes.of(List.of(yes, no)))
        .containsExactly(new PrefixGroup(List.of(yes, no), 8));
    assertThat(SharedPrefixes.of(List.of(no, unlearnt)))
        .containsExactly(new PrefixGroup(List.of(no, unlearnt), 8));
  }

  @Test
  void theLastSharedRowMayPrecedeDifferentTokensThatAreNotLearnt() {
    int[] prompt = run(10, 9);
    Example one = learnt(10, plus(prompt, 1, 5));
    Example other = learnt(10, plus(prompt, 2, 5));

    assertThat(SharedPrefixes.of(List.of(one, other)))
        .containsExactly(new PrefixGroup(List.of(one, other), 9));
  }

  @Test
  void aTargetInSharedRowsCountsForEachExample() {
    Example one = learnt(1, plus(run(10, 8), 1, 2));
    Example other = learnt(1, plus(run(10, 8), 3));
    TokenBatch batch = BatchBuilder.of(List.of(one, other), Prefixes.SHARED);

    assertThat(batch.tokens()).containsExactly(10, 11, 12, 13, 14, 15, 16, 17, 1, 2, 17, 3);
    assertThat(batch.positions()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8);
    assertThat(batch.rowWeights()).containsExactly(2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1);
    assertThat(batch.labelledRows()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 10);
    assertThat(batch.targets()).containsExactly(11, 12, 13, 14, 15, 16, 17, 1, 2, 3);
    assertThat(batch.targetWeights()).containsExactly(2, 2, 2, 2, 2, 2, 2, 1, 1, 1);
    assertThat(Arrays.copyOf(batch.spans(), 4)).containsExactly(0, 0, 0, 12);
    assertThat(Arrays.copyOfRange(batch.spans(), 28, 32)).containsExactly(0, 7, 7, 10);
    assertThat(Arrays.copyOfRange(batch.spans(), 40, 44)).containsExactly(0, 7, 10, 12);
    assertThat(batch.countedTokens()).isEqualTo(19);
    assertThat(batch.countedTargets()).isEqualTo(17);
  }

  static List<Long> seeds() {
    return IntStream.range(0, 200).mapToObj(i -> (long) i).toList();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void noOtherGroupingSavesMore(long seed) {
    List<Example> examples = random(new Random(seed), 1 + (int) (seed % 6));
    List<PrefixGroup> groups = SharedPrefixes.of(examples);

    assertThat(groups.stream().flatMap(group -> group.examples().stream()))
        .containsExactlyInAnyOrderElementsOf(examples);
    assertThat(groups.stream().mapToInt(SharedPrefixesTest::saved).sum())
        .isEqualTo(mostSaved(examples, 0, new ArrayList<>()));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void theBatchStillHoldsEveryExample(long seed) {
    List<Example> examples = random(new Random(seed), 9);
    TokenBatch batch = BatchBuilder.of(examples, Prefixes.SHARED);

    List<List<Integer>> expected =
        new ArrayList<>(examples.stream().map(SharedPrefixesTest::read).toList());
    for (int row = 0; row < batch.size(); row++) {
      boolean last = row + 1 == batch.size() || span(batch, row + 1, 2) != span(batch, row, 2);
      if (last && batch.rowWeights()[row] == 1) {
        assertThat(expected.remove(read(batch, row))).as("segment that ends at " + row).isTrue();
      }
    }
    assertThat(expected).isEmpty();
    assertThat(batch.countedTokens()).isEqualTo(BatchBuilder.tokens(examples));
    assertThat(batch.countedTargets())
        .isEqualTo(examples.stream().mapToInt(Example::targets).sum());
  }

  /** Few different tokens and long common runs, so that beginnings nest. */
  private static List<Example> random(Random random, int count) {
    List<Example> examples = new ArrayList<>();
    int[] base = random.ints(24, 0, 3).toArray();
    for (int i = 0; i < count; i++) {
      int[] tokens = Arrays.copyOf(base, 2 + random.nextInt(base.length - 1));
      if (random.nextBoolean()) {
        tokens[random.nextInt(tokens.length)] = 3;
      }
      examples.add(learnt(random.nextInt(tokens.length + 1), tokens));
    }
    return examples;
  }

  /** Rows saved, less what sharing costs. */
  private static int saved(PrefixGroup group) {
    int k = group.examples().size();
    int p = group.length();
    return p == 0 ? 0 : (k - 1) * p - k * COST;
  }

  /** By trying every partition. */
  private static int mostSaved(List<Example> examples, int next, List<List<Example>> groups) {
    if (next == examples.size()) {
      return groups.stream()
          .mapToInt(group -> saved(new PrefixGroup(group, group.size() > 1 ? common(group) : 0)))
          .map(saved -> Math.max(0, saved))
          .sum();
    }
    int best = 0;
    for (int g = 0; g <= groups.size(); g++) {
      if (g == groups.size()) {
        groups.add(new ArrayList<>());
      }
      groups.get(g).add(examples.get(next));
      best = Math.max(best, mostSaved(examples, next + 1, groups));
      groups.get(g).removeLast();
      if (groups.get(g).isEmpty()) {
        groups.remove(g);
        break;
      }
    }
    return best;
  }

  private static int common(List<Example> group) {
    Example first = group.getFirst();
    for (int t = 0; ; t++) {
      for (Example other : group) {
        boolean ends = t >= first.length() - 1 || t >= other.length() - 1;
        if (ends
            || other.tokens()[t] != first.tokens()[t]
            || other.labels()[t + 1] != first.labels()[t + 1]) {
          return t;
        }
      }
    }
  }

  /** Token, position and target of every row. */
  private static List<Integer> read(Example example) {
    List<Integer> read = new ArrayList<>();
    for (int t = 0; t < example.length(); t++) {
      int target = t + 1 < example.length() ? example.labels()[t + 1] : NONE;
      read.addAll(List.of(example.tokens()[t], t, target));
    }
    return read;
  }

  /** The same of the rows that a row sees. */
  private static List<Integer> read(TokenBatch batch, int row) {
    List<Integer> read = new ArrayList<>();
    IntStream prefix = IntStream.range(span(batch, row, 0), span(batch, row, 1));
    IntStream own = IntStream.rangeClosed(span(batch, row, 2), row);
    IntStream.concat(prefix, own)
        .forEach(seen -> {
          assertThat(span(batch, seen, 3)).as("readers of row " + seen).isGreaterThan(row);
          int label = Arrays.binarySearch(batch.labelledRows(), seen);
          read.addAll(
              List.of(
                  batch.tokens()[seen],
                  batch.positions()[seen],
                  label < 0 ? NONE : batch.targets()[label]));
        });
    return read;
  }

  private static int span(TokenBatch batch, int row, int field) {
    return batch.spans()[4 * row + field];
  }
}
