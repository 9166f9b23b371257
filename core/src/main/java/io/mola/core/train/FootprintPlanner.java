package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Memory;
import io.mola.core.failure.UsageException;
import io.mola.core.model.PassLimits;
import io.mola.core.model.Projection;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.quant.QuantType;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightNames;
import java.util.Optional;
import java.util.function.Function;

/**
 * Plans the memory of a run within a limit, before anything is allocated.
 *
 * <p>With room enough every block keeps its activations and all frozen weights are kept packed.
 * When it does not fit, memory is given up in the order of what it costs: first blocks are
 * recomputed (at most a third more work in the worst case), then the weight cache shrinks (weights
 * are decoded from the file at each use). On a device with memory of its own the order is that of
 * {@link DeviceFootprint}, and the limit is one of the host's memory.
 */
public final class FootprintPlanner {
  private static final int MIB = 20;

  private final ModelConfig config;
  private final AdapterParameters adapter;
  private final BalanceLoss balanceLoss;
  private final Memory memory;
  private final Function<String, QuantType> weightType;
  private final long mappedBytes;
  private final ProcessFootprint process;

  /**
   * @param memory of the backend that will run, opened for planning
   * @param weightType encoding of a matrix by canonical name
   * @param mappedBytes size of the model's files; 0 if there are none yet
   * @param process what is resident besides the computation
   */
  public FootprintPlanner(
      ModelConfig config,
      AdapterParameters adapter,
      BalanceLoss balanceLoss,
      Memory memory,
      Function<String, QuantType> weightType,
      long mappedBytes,
      ProcessFootprint process) {
    this.config = config;
    this.adapter = adapter;
    this.balanceLoss = balanceLoss;
    this.memory = memory;
    this.weightType = weightType;
    this.mappedBytes = mappedBytes;
    this.process = process;
  }

  /**
   * The plan with the least work that stays within the limit.
   *
   * @param wanted sizes; {@code keptBlocks} is the largest number wanted
   * @param oneByOne sizes with one example at a time, for the message; the same if that is wanted
   * @param limitBytes bound of {@link FootprintPlan#totalBytes}
   * @throws UsageException if no plan fits, naming the smallest limit that would
   */
  public FootprintPlan within(PassLimits wanted, PassLimits oneByOne, long limitBytes) {
    Optional<DeviceFootprint> device = DeviceFootprint.of(memory.device(), config, weightType);
    if (device.isPresent()) {
      return device
          .get()
          .within(mostKept(wanted), kept -> plan(wanted.withKeptBlocks(kept), 0), limitBytes);
    }
    for (int kept = mostKept(wanted); kept >= 1; kept--) {
      FootprintPlan plan = plan(wanted.withKeptBlocks(kept), Long.MAX_VALUE);
      if (plan.totalBytes() <= limitBytes) {
        return plan;
      }
    }
    long least = least(wanted);
    if (limitBytes < least) {
      throw new UsageException(refusal(least, least(oneByOne), limitBytes));
    }
    return plan(wanted.withKeptBlocks(1), limitBytes - least);
  }

  /** Bytes of the plan with the most work: one block is kept, and no weight is packed. */
  private long least(PassLimits limits) {
    return plan(limits.withKeptBlocks(1), 0).totalBytes();
  }

  private static String refusal(long least, long oneByOne, long limitBytes) {
    String fault =
        "%,d MiB are not enough: this run needs at least --max-memory %dM"
            .formatted(limitBytes >> MIB, wholeMib(least));
    return oneByOne < least
        ? fault + ", or %dM with --micro-batch-size 1".formatted(wholeMib(oneByOne))
        : fault + "; shorter examples (--cutoff-len) or smaller adapters need less";
  }

  private static long wholeMib(long bytes) {
    return Math.ceilDiv(bytes, 1L << MIB);
  }

  /** The plan with the least work, whatever memory there is; on a device it may not fit. */
  public FootprintPlan unlimited(PassLimits wanted) {
    return DeviceFootprint.of(memory.device(), config, weightType)
        .map(device ->
            device.largest(mostKept(wanted), kept -> plan(wanted.withKeptBlocks(kept), 0)))
        .orElseGet(() -> plan(wanted.withKeptBlocks(mostKept(wanted)), Long.MAX_VALUE));
  }

  private int mostKept(PassLimits wanted) {
    return Math.min(wanted.keptBlocks(), config.layers());
  }

  private FootprintPlan plan(PassLimits limits, long cacheBytes) {
    MemoryPlan.Builder slots = new MemoryPlan.Builder();
    TrainingPass.plan(slots, config, limits);
    TrainingStep.plan(slots, adapter);
    MolaHook.plan(slots, adapter, balanceLoss, limits.tokens());
    MolaHook.inferencePlan(slots, adapter, limits.tokens());
    Evaluation.plan(slots);
    for (MemoryPlan.Slot norm : Transformer.normPlan(config).slots()) {
      slots.f32(norm.name(), norm.rows(), norm.cols());
    }
    long allPacked = packedBytes();
    FootprintPlan.Workspace workspace = workspace(limits.tokens());
    return new FootprintPlan(
        limits,
        slots.build(),
        config.layers(),
        Math.min(cacheBytes, allPacked),
        allPacked,
        workspace,
        memory.workspaceBytes(workspace.tokens(), workspace.widest(), workspace.stackedRank()),
        mappedBytes,
        process,
        Optional.empty());
  }

  private FootprintPlan.Workspace workspace(int tokens) {
    int stackedRank = 1;
    int widest = config.hiddenSize();
    for (Projection.Group group : Projection.Group.values()) {
      for (int l = 0; l < config.layers(); l++) {
        stackedRank = Math.max(stackedRank, adapter.stackedRank(l, group));
      }
      for (Projection projection : group.members()) {
        widest = Math.max(widest, Math.max(projection.in(config), projection.out(config)));
      }
    }
    return new FootprintPlan.Workspace(tokens, widest, stackedRank);
  }

  private long packedBytes() {
    long sum = 0;
    for (int l = 0; l < config.layers(); l++) {
      for (Projection p : Projection.values()) {
        String name = WeightNames.inLayer(l, p.path());
        sum += memory.frozenBytes(weightType.apply(name), p.out(config), p.in(config));
      }
    }
    String head = config.tiedEmbeddings() ? WeightNames.EMBEDDING : WeightNames.HEAD;
    return sum
        + memory.frozenBytes(weightType.apply(head), config.vocabularySize(), config.hiddenSize());
  }
}
