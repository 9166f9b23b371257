package io.mola.core.train;

import io.mola.core.backend.DeviceMemory;
import io.mola.core.backend.DevicePlacement;
import io.mola.core.backend.FrozenUse;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * Plans a run on a device with memory of its own. Memory is given up in the order of what it costs:
 * decoded copies of frozen weights first (they are decoded at each use), then the activations of
 * blocks (recomputed), and last the place of frozen weights (they stream from the host).
 *
 * @param memory of the device
 * @param config of the model
 * @param weightType encoding of a matrix by canonical name
 */
record DeviceFootprint(
    DeviceMemory memory, ModelConfig config, Function<String, QuantType> weightType) {

  /**
   * The plan with the least work that fits the device.
   *
   * @param most largest number of blocks that keep their activations
   * @param planWithKept plan of a run for a number of kept blocks, without frozen weights
   * @param hostLimitBytes bound of {@link FootprintPlan#totalBytes}
   * @throws UsageException if no plan fits, naming the smallest memory that would do
   */
  FootprintPlan within(int most, IntFunction<FootprintPlan> planWithKept, long hostLimitBytes) {
    FootprintPlan plan = largest(most, planWithKept);
    DevicePlacement placement = plan.device().orElseThrow();
    if (!placement.fits()) {
      throw new UsageException(
          "%s has %,d MiB free and this run needs at least %,d MiB of it, even with all frozen weights streamed from the host; lower --micro-batch-size or --cutoff-len, or use --backend simd"
              .formatted(
                  placement.device(),
                  placement.freeBytes() >> 20,
                  mebibytes(placement.plannedBytes())));
    }
    if (plan.totalBytes() > hostLimitBytes) {
      throw new UsageException(
          "%,d MiB are not enough: this run needs at least --max-memory %dM of host memory%s"
              .formatted(hostLimitBytes >> 20, mebibytes(plan.totalBytes()), streamed(placement)));
    }
    return plan;
  }

  /** The plan with the least work; it may be too large where the last resort is. */
  FootprintPlan largest(int most, IntFunction<FootprintPlan> planWithKept) {
    FootprintPlan plan = placed(planWithKept.apply(most));
    for (int kept = most - 1; kept >= 1 && !isResident(plan); kept--) {
      plan = placed(planWithKept.apply(kept));
    }
    return plan;
  }

  private static boolean isResident(FootprintPlan plan) {
    DevicePlacement placement = plan.device().orElseThrow();
    return placement.fits() && placement.frozen().streamedBytes() == 0;
  }

  private FootprintPlan placed(FootprintPlan plan) {
    DevicePlacement placement =
        memory.place(plan.slots(), plan.workspaceBytes(), matrices(plan.limits().keptBlocks()));
    return plan.onDevice(placement);
  }

  /** All matrices in the order of loading. */
  private List<FrozenUse> matrices(int keptBlocks) {
    List<FrozenUse> matrices = new ArrayList<>();
    int vocabulary = config.vocabularySize();
    int d = config.hiddenSize();
    boolean tied = config.tiedEmbeddings();
    // tied, it is read at the beginning as the embedding and at the end as the head
    matrices.add(use(WeightNames.EMBEDDING, vocabulary, d, tied ? 2 : 1));
    if (!tied) {
      matrices.add(use(WeightNames.HEAD, vocabulary, d, 1));
    }
    for (int l = 0; l < config.layers(); l++) {
      boolean recomputed = l < config.layers() - keptBlocks;
      for (Projection p : Projection.values()) {
        // the product of the last projection is not needed by the backward pass
        int uses = recomputed && p != Projection.DOWN ? 3 : 2;
        matrices.add(use(WeightNames.inLayer(l, p.path()), p.out(config), p.in(config), uses));
      }
    }
    return matrices;
  }

  private FrozenUse use(String name, int out, int in, int uses) {
    return new FrozenUse(weightType.apply(name), out, in, uses);
  }

  private static String streamed(DevicePlacement placement) {
    long bytes = placement.frozen().streamedBytes();
    return bytes == 0
        ? ", which includes the mapped model file"
        : ", %,d MiB of them for frozen weights that %s has no room for"
            .formatted(mebibytes(bytes), placement.device());
  }

  private static long mebibytes(long bytes) {
    return Math.ceilDiv(bytes, 1L << 20);
  }

  /** Of the backend that will run, where it has a device with memory of its own. */
  static Optional<DeviceFootprint> of(
      Optional<DeviceMemory> memory, ModelConfig config, Function<String, QuantType> weightType) {
    return memory.map(device -> new DeviceFootprint(device, config, weightType));
  }
}
