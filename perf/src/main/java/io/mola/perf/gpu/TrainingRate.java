package io.mola.perf.gpu;

import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.backend.Backends;
import io.mola.core.data.Example;
import io.mola.core.quant.QuantType;
import io.mola.core.train.Continuity;
import io.mola.core.train.FineTuneRequest;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.FootprintPlan;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.Prefixes;
import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Training speed on a random base with experts 2-4-6-8 of rank 8, or LoRA of rank 8.
 *
 * @param shape of the base
 * @param type its encoding
 * @param lora whether there is one expert everywhere
 * @param sequences per step
 * @param length tokens of each
 * @param steps the first warms up
 */
record TrainingRate(
    BaseShape shape, QuantType type, boolean lora, int sequences, int length, int steps) {
  private static final long SEED = 7;

  /**
   * What a run measured.
   *
   * @param tokensPerSecond of the steps after the first
   * @param stepMillis median of the steps after the first
   * @param teraFlops model operations per second, see {@link BaseShape#flopsPerToken}, in 1e12
   * @param plannedBytes of the device, all that the plan counts
   * @param frozenBytes of the frozen matrices in their encoding
   * @param peakDeviceBytes highest use of the device that was seen, above what was used before
   * @param losses of the steps
   */
  record Measured(
      double tokensPerSecond,
      double stepMillis,
      double teraFlops,
      long plannedBytes,
      long frozenBytes,
      long peakDeviceBytes,
      List<Double> losses) {}

  String label() {
    String adapter = lora ? "LoRA" : "MoLA 2468";
    return "%s %s %s %dx%d".formatted(shape.label(), type, adapter, sequences, length);
  }

  Measured run() {
    RandomBase base = new RandomBase(shape, type);
    FineTuning tuning = new FineTuning(request(base));
    FootprintPlan plan = tuning.plan();
    DeviceMemory memory = new DeviceMemory();
    FineTuneResult result;
    try (memory) {
      result = tuning.run(plan, Continuity.NONE, new TrainingListener() {});
    }
    List<StepReport> warm = result.steps().subList(1, result.steps().size());
    double[] millis = warm.stream().mapToDouble(s -> s.nanos() / 1e6).sorted().toArray();
    double rate = result.tokensPerSecond();
    return new Measured(
        rate,
        millis[millis.length / 2],
        rate * shape.flopsPerToken(length) / 1e12,
        plan.device().orElseThrow().plannedBytes(),
        base.tensors().stream().mapToLong(t -> t.bytes()).sum(),
        memory.peakBytes(),
        result.steps().stream().map(StepReport::loss).toList());
  }

  private FineTuneRequest request(RandomBase base) {
    return new FineTuneRequest(
        base,
        Backends.choose("cuda"),
        1,
        Long.MAX_VALUE / 4,
        new ExpertAllocation(lora ? "1" : "2-4-6-8", "8", lora ? "1" : "2", 16, 0.05, List.of())
            .resolve(base.config()),
        Optional.empty(),
        BalanceLoss.MASKED,
        0.001,
        new OptimizerConfig(3e-4, OptimizerConfig.Schedule.CONSTANT, 0, 0.9, 0.999, 1e-8, 0, 1.0),
        examples(),
        List.of(),
        sequences,
        sequences,
        Prefixes.REPEATED,
        1,
        steps,
        false,
        SEED);
  }

  private List<Example> examples() {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Example> examples = new ArrayList<>();
    for (int e = 0; e < sequences * steps; e++) {
      int[] tokens = random.ints(length, 0, shape.vocabulary).toArray();
      examples.add(new Example(tokens, tokens.clone(), "random example " + e));
    }
    return examples;
  }
}
