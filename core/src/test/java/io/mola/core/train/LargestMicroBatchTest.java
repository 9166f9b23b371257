package io.mola.core.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LargestMicroBatchTest {
  @ParameterizedTest(name = "{0} examples, batch {1}, micro-batch {2}, {3} epochs, {4} steps")
  @CsvSource({
    "1, 1, 1, 1, 0",
    "7, 1, 1, 3, 5",
    "7, 4, 2, 3, 0",
    "40, 12, 4, 5, 13",
    "40, 12, 5, 2, 0",
    "40, 64, 64, 3, 0",
    "101, 16, 16, 4, 9",
    "101, 16, 1, 4, 3"
  })
  void isTheLargestThatTheRunSees(int n, int batch, int micro, int epochs, int maxSteps) {
    ShuffledEpochs run = new ShuffledEpochs(examples(n, 7), batch, epochs, maxSteps, 42);
    for (Prefixes prefixes : Prefixes.values()) {
      assertThat(LargestMicroBatch.of(run, micro, prefixes))
          .isEqualTo(largestOf(run, micro, prefixes));
    }
  }

  private static LargestMicroBatch largestOf(ShuffledEpochs run, int micro, Prefixes prefixes) {
    int tokens = 0;
    int labelled = 0;
    int positions = 0;
    for (int step = 0; step < run.steps(); step++) {
      for (TokenBatch part : BatchBuilder.microBatches(run.batch(step), micro, prefixes)) {
        tokens = Math.max(tokens, part.size());
        labelled = Math.max(labelled, part.labelled());
        positions = Math.max(positions, 1 + Arrays.stream(part.positions()).max().orElseThrow());
      }
    }
    return new LargestMicroBatch(new RowCount(tokens, labelled), positions);
  }

  @Test
  @Timeout(20)
  void aRunOfTenMillionStepsIsPlannedFromItsFirstEpochs() {
    ShuffledEpochs run = new ShuffledEpochs(examples(10_000, 11), 16, 16_000, 0, 42);
    assertThat(run.steps()).isEqualTo(10_000_000);
    LargestMicroBatch found = LargestMicroBatch.of(run, 16, Prefixes.REPEATED);

    int longest = run.examples().stream().mapToInt(Example::length).max().orElseThrow();
    assertThat(found.positions()).isEqualTo(longest);
    assertThat(found.rows().tokens()).isLessThan(16 * longest);
  }

  @ParameterizedTest(name = "{0} steps, walk of {1} examples")
  @CsvSource({"400, 7", "5, 7", "400, 100", "1, 1"})
  void aWalkThatEndsEarlyStillHasRoomForEveryExample(int maxSteps, int visits) {
    ShuffledEpochs run = new ShuffledEpochs(examples(90, 13), 8, 50, maxSteps, 42);
    LargestMicroBatch found = LargestMicroBatch.of(run, 4, Prefixes.SHARED, visits);

    for (Example example : run.examples()) {
      assertThat(found.rows().holds(RowCount.of(List.of(example), Prefixes.SHARED))).isTrue();
      assertThat(found.positions()).isGreaterThanOrEqualTo(example.length());
    }
  }

  @Test
  void afterTheWalkMicroBatchesAreCutToWhatWasPlanned() {
    ShuffledEpochs run = new ShuffledEpochs(examples(30, 5), 8, 50, 0, 42);
    LargestMicroBatch planned = LargestMicroBatch.of(run, 4, Prefixes.REPEATED, 300);
    MicroBatches cut = new MicroBatches(4, Prefixes.REPEATED, planned.rows());
    int more = 0;
    for (int step = 0; step < run.steps(); step++) {
      List<Example> batch = run.batch(step);
      List<List<Example>> parts = cut.parts(batch);
      assertThat(parts.stream().flatMap(List::stream)).containsExactlyElementsOf(batch);
      for (TokenBatch part : cut.of(batch)) {
        assertThat(part.size()).isLessThanOrEqualTo(planned.rows().tokens());
        assertThat(part.labelled()).isLessThanOrEqualTo(planned.rows().labelled());
      }
      more += parts.size() - Math.ceilDiv(batch.size(), 4);
    }

    assertThat(more).as("further parts in %d steps", run.steps()).isBetween(1, run.steps() / 10);
  }

  @Test
  void microBatchesThatFitAreCutByNumberAlone() {
    List<Example> batch = examples(11, 3);

    assertThat(new MicroBatches(4, Prefixes.REPEATED, new RowCount(1000, 1000)).parts(batch))
        .containsExactly(batch.subList(0, 4), batch.subList(4, 8), batch.subList(8, 11));
  }

  /** Lengths with a long tail: most are short, few are ten times as long. */
  private static List<Example> examples(int count, long seed) {
    Random random = new Random(seed);
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int length = 2 + (int) (20 / (0.1 + random.nextDouble()));
      int[] tokens = new int[length];
      int[] labels = new int[length];
      Arrays.fill(labels, 0, random.nextInt(length - 1) + 1, Example.IGNORE);
      examples.add(new Example(tokens, labels, "test:" + i));
    }
    return examples;
  }
}
