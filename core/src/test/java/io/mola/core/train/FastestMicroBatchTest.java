package io.mola.core.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.failure.UsageException;
import io.mola.core.model.PassLimits;
import io.mola.core.tensor.MemoryPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FastestMicroBatchTest {
  private static final int LAYERS = 10;
  private static final int TOKENS = 100;

  @Test
  void isTheWholeBatchWhereNothingHasToBeSaved() {
    assertThat(FastestMicroBatch.of(8, size -> plan(size, LAYERS, 100))).isEqualTo(8);
  }

  @Test
  void isOneWhereNothingFits() {
    assertThat(
            FastestMicroBatch.of(
                8,
                size -> {
                  throw new UsageException("too small");
                }))
        .isEqualTo(1);
  }

  @Test
  void isSmallerWhereTheWholeBatchWouldHaveToDecodeItsWeights() {
    assertThat(FastestMicroBatch.of(8, size -> plan(size, LAYERS, size > 4 ? 0 : 100)))
        .isEqualTo(4);
  }

  @Test
  void isSmallerWhereTheWholeBatchWouldHaveToComputeBlocksAgain() {
    assertThat(FastestMicroBatch.of(8, size -> plan(size, size > 2 ? 1 : LAYERS, 100)))
        .isEqualTo(2);
  }

  @Test
  void dividesTheBatch() {
    List<Integer> planned = new ArrayList<>();
    FastestMicroBatch.of(
        12,
        size -> {
          planned.add(size);
          return plan(size, LAYERS, 100);
        });
    assertThat(planned).containsExactly(12, 6, 4, 3, 2, 1);
  }

  private static FootprintPlan plan(int size, int keptBlocks, long packed) {
    int tokens = size * TOKENS;
    return new FootprintPlan(
        new PassLimits(tokens, tokens, TOKENS, keptBlocks, 128),
        new MemoryPlan(List.of()),
        LAYERS,
        packed,
        100,
        new FootprintPlan.Workspace(tokens, 1, 1),
        0,
        0,
        new ProcessFootprint(0, 0, 0, 0),
        Optional.empty());
  }
}
