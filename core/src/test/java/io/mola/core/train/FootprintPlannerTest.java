package io.mola.core.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.failure.UsageException;
import io.mola.core.model.PassLimits;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class FootprintPlannerTest {
  private static final int LAYERS = 6;
  private static final PassLimits WANTED = new PassLimits(2000, 2000, 500, LAYERS, 128);
  private static final PassLimits ONE_BY_ONE = new PassLimits(500, 500, 500, LAYERS, 128);

  private final FootprintPlanner planner = planner();

  @Test
  void withRoomEnoughNothingIsSaved() {
    FootprintPlan plan = planner.within(WANTED, ONE_BY_ONE, Long.MAX_VALUE);

    assertThat(plan.limits()).isEqualTo(WANTED);
    assertThat(plan.weightCacheBytes()).isPositive().isEqualTo(plan.allPackedBytes());
    assertThat(plan.savings()).isEmpty();
  }

  @Test
  void aByteTooLittleRecomputesOneBlockAndKeepsTheWeightsPacked() {
    long all = planner.within(WANTED, ONE_BY_ONE, Long.MAX_VALUE).totalBytes();

    FootprintPlan plan = planner.within(WANTED, ONE_BY_ONE, all - 1);

    assertThat(plan.limits().keptBlocks()).isEqualTo(LAYERS - 1);
    assertThat(plan.weightCacheBytes()).isEqualTo(plan.allPackedBytes());
    assertThat(plan.savings())
        .containsExactly("1 of 6 blocks are computed again in the backward pass");
  }

  @Test
  void everyLimitFromTheSmallestOnIsKeptAndMoreRoomNeverCostsMore() {
    long least = smallest(WANTED, 1);
    long all = planner.within(WANTED, ONE_BY_ONE, Long.MAX_VALUE).totalBytes();
    int kept = 0;
    long cache = 0;
    for (long limit = least; limit <= all; limit += 1 << 20) {
      FootprintPlan plan = planner.within(WANTED, ONE_BY_ONE, limit);
      assertThat(plan.totalBytes()).isLessThanOrEqualTo(limit);
      assertThat(plan.limits().keptBlocks()).isGreaterThanOrEqualTo(kept);
      assertThat(plan.weightCacheBytes()).isGreaterThanOrEqualTo(cache);
      kept = plan.limits().keptBlocks();
      cache = plan.weightCacheBytes();
    }
  }

  @Test
  void aRefusalNamesTheSmallestLimitsWithManyExamplesAtOnceAndWithOne() {
    long many = smallest(WANTED, 1);
    long one = smallest(WANTED, 2);

    assertThat(one).isLessThan(many);
    assertRefusedBelow(WANTED, many);
    assertRefusedBelow(ONE_BY_ONE, one);
  }

  private void assertRefusedBelow(PassLimits wanted, long limit) {
    assertThat(planner.within(wanted, ONE_BY_ONE, limit).totalBytes()).isLessThanOrEqualTo(limit);
    assertThatThrownBy(() -> planner.within(wanted, ONE_BY_ONE, limit - (1 << 20)))
        .isInstanceOf(UsageException.class);
  }

  /** The n-th limit that the refusal names, in bytes. */
  private long smallest(PassLimits wanted, int n) {
    try {
      planner.within(wanted, ONE_BY_ONE, 1);
    } catch (UsageException e) {
      Matcher limit = Pattern.compile("([0-9]+)M\\b").matcher(e.getMessage());
      for (int i = 0; i < n; i++) {
        assertThat(limit.find()).as(e.getMessage()).isTrue();
      }
      return Long.parseLong(limit.group(1)) << 20;
    }
    throw new AssertionError("a limit of one byte was not refused");
  }

  private static FootprintPlanner planner() {
    ModelConfig config =
        new ModelConfig(
            "llama",
            256,
            1024,
            LAYERS,
            4,
            4,
            64,
            1000,
            1e-5,
            new Rope(10000, new Rope.Plain()),
            4096,
            0,
            false,
            QuantType.F32);
    AdapterShape shape =
        new AdapterShape(
            Collections.nCopies(
                LAYERS, AdapterShape.uniformLayer(List.of(Projection.values()), 2, 8, 2)),
            16,
            0);
    AdapterParameters adapter = new AdapterParameters(config, shape);
    return new FootprintPlanner(
        config,
        adapter,
        BalanceLoss.MASKED,
        new Sizes(),
        name -> QuantType.F32,
        1 << 20,
        ProcessFootprint.of(config, adapter, 1, List.of()));
  }

  /** A memory that only plans: a packed weight takes three bytes. */
  private static final class Sizes implements Memory {
    @Override
    public long frozenBytes(QuantType type, int out, int in) {
      return 3L * out * in;
    }

    @Override
    public long workspaceBytes(int tokens, int widest, int stackedRank) {
      return 4L * tokens * (widest + stackedRank);
    }

    @Override
    public Region allocate(MemoryPlan plan) {
      throw new AssertionError("a plan allocates nothing");
    }

    @Override
    public FrozenMatrix load(StoredMatrix matrix) {
      throw new AssertionError("a plan loads nothing");
    }

    @Override
    public void upload(float[] from, Tensor to) {
      throw new AssertionError("a plan uploads nothing");
    }

    @Override
    public void upload(int[] from, IntTensor to) {
      throw new AssertionError("a plan uploads nothing");
    }

    @Override
    public void download(Tensor from, float[] to) {
      throw new AssertionError("a plan downloads nothing");
    }
  }
}
