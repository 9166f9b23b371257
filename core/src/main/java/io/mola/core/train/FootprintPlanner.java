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
  /** Host arrays of all parameters: the run's own, and that of an adapter it starts from. */
  private static final int PARAMETER_COPIES = 2;

  /** Java runtime, code, tokenizer library: measured on Linux with the options of the launcher. */
  private static final long RUNTIME_BYTES = 160L << 20;

  private final ModelConfig config;
  private final AdapterParameters adapter;
  private final BalanceLoss balanceLoss;
  private final Memory memory;
  private final Function<String, QuantType> weightType;
  private final long mappedBytes;

  /**
   * @param memory of the backend that will run, opened for planning
   * @param weightType encoding of a matrix by canonical name
   * @param mappedBytes size of the model's files; 0 if there are none yet
   */
  public FootprintPlanner(
      ModelConfig config,
      AdapterParameters adapter,
      BalanceLoss balanceLoss,
      Memory memory,
      Function<String, QuantType> weightType,
      long mappedBytes) {
    this.config = config;
    this.adapter = adapter;
    this.balanceLoss = balanceLoss;
    this.memory = memory;
    this.weightType = weightType;
    this.mappedBytes = mappedBytes;
  }

  /**
   * The plan with the least work that stays within the limit.
   *
   * @param wanted sizes; {@code keptBlocks} is the largest number wanted
   * @param limitBytes bound of {@link FootprintPlan#totalBytes}
   * @throws UsageException if no plan fits, naming the smallest limit that would
   */
  public FootprintPlan within(PassLimits wanted, long limitBytes) {
    Optional<DeviceFootprint> device = DeviceFootprint.of(memory.device(), config, weightType);
    if (device.isPresent()) {
      return device
          .get()
          .within(mostKept(wanted), kept -> plan(wanted.withKeptBlocks(kept), 0), limitBytes);
    }
    long fullCache = packedBytes();
    for (int kept = mostKept(wanted); kept >= 1; kept--) {
      FootprintPlan plan = plan(wanted.withKeptBlocks(kept), fullCache);
      if (plan.totalBytes() <= limitBytes) {
        return plan;
      }
    }
    FootprintPlan smallest = plan(wanted.withKeptBlocks(1), 0);
    long room = limitBytes - smallest.totalBytes();
    if (room < 0) {
      throw new UsageException(
          "%,d MiB are not enough: this run needs at least %,d MiB; raise --max-memory, or lower --micro-batch-size or --cutoff-len"
              .formatted(limitBytes >> 20, (smallest.totalBytes() >> 20) + 1));
    }
    return plan(wanted.withKeptBlocks(1), room);
  }

  /** The plan with the least work, whatever memory there is; on a device it may not fit. */
  public FootprintPlan unlimited(PassLimits wanted) {
    return DeviceFootprint.of(memory.device(), config, weightType)
        .map(device ->
            device.largest(mostKept(wanted), kept -> plan(wanted.withKeptBlocks(kept), 0)))
        .orElseGet(() -> plan(wanted.withKeptBlocks(mostKept(wanted)), packedBytes()));
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
    return new FootprintPlan(
        limits,
        slots.build(),
        Math.min(cacheBytes, packedBytes()),
        memory.workspaceBytes(limits.tokens(), widest, stackedRank),
        mappedBytes,
        RUNTIME_BYTES + PARAMETER_COPIES * (long) Float.BYTES * adapter.size(),
        Optional.empty());
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
