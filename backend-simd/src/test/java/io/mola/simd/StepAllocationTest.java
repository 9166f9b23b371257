package io.mola.simd;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.PassLimits;
import io.mola.core.model.Projection;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import io.mola.core.train.TrainingStep;
import io.mola.testdata.TinyModel;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * What a whole step leaves to the garbage collector, for a model as deep as SmolLM2 and a batch as
 * long as eight of its examples. It grows with the number of operations, not with the sizes of
 * matrices, so the matrices are small. Measured on the caller with one worker, which does all the
 * work.
 */
@EnabledIf("io.mola.simd.AllocationTest#widthIsNative")
class StepAllocationTest {
  private static final int LAYERS = 30;
  private static final int VOCABULARY = 64;
  private static final int EXAMPLES = 8;
  private static final int TOKENS = 83;

  /** Within this time the compiler is done, also on a busy machine. */
  private static final Duration COMPILATION = Duration.ofMinutes(3);

  private static final long MEGABYTE = 1_000_000;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void compiledStepAllocatesLessThanAMegabyte() {
    TinyModel weights = new TinyModel(LAYERS, 4, 2, 16, 96, VOCABULARY, 3);
    AdapterParameters adapter = new AdapterParameters(weights.config(), shape());
    PassLimits limits = new PassLimits(EXAMPLES * TOKENS, EXAMPLES * TOKENS, TOKENS, LAYERS, 128);
    BackendSettings settings = new BackendSettings(1, 1 << 30);
    try (Backend backend = Backends.checked(new SimdBackendProvider().open(settings));
        Transformer model = Transformer.load(backend, weights);
        Region region = backend.memory().allocate(plan(weights, adapter, limits))) {
      backend.memory().upload(adapter.initial(1), region.tensor(TrainingStep.PARAMETERS));
      MolaHook hook =
          new MolaHook(
              backend,
              adapter,
              region,
              region.tensor(TrainingStep.PARAMETERS),
              region.tensor(TrainingStep.GRADIENTS),
              new MolaHook.Settings(BalanceLoss.MASKED, 1e-3, 5));
      TrainingPass pass = new TrainingPass(model, hook, region, limits);
      OptimizerConfig optimizer =
          new OptimizerConfig(1e-3, Schedule.CONSTANT, 0, 0.9, 0.999, 1e-8, 0.01, 1);
      TrainingStep step = new TrainingStep(backend, pass, hook, region, optimizer);

      assertThat(leastAllocated(step)).as("bytes per step").isLessThan(MEGABYTE);
    }
  }

  /** The least that one of many steps allocates, until it is little or the time is over. */
  private static long leastAllocated(TrainingStep step) {
    List<Example> examples = examples();
    long thread = Thread.currentThread().threadId();
    long deadline = System.nanoTime() + COMPILATION.toNanos();
    long least = Long.MAX_VALUE;
    for (int s = 0; least >= MEGABYTE && System.nanoTime() < deadline; s++) {
      long before = THREADS.getThreadAllocatedBytes(thread);
      List<TokenBatch> batches = BatchBuilder.microBatches(examples, EXAMPLES, Prefixes.REPEATED);
      step.gradients(batches, s, true);
      step.update(1e-3, s + 1);
      least = Math.min(least, THREADS.getThreadAllocatedBytes(thread) - before);
    }
    return least;
  }

  /** Experts 2-4-6-8 over the depth, rank 8, two chosen, as in the paper. */
  private static AdapterShape shape() {
    List<AdapterShape.Layer> layers = new ArrayList<>();
    for (int l = 0; l < LAYERS; l++) {
      int experts = 2 * (1 + 4 * l / LAYERS);
      layers.add(AdapterShape.uniformLayer(List.of(Projection.values()), experts, 8, 2));
    }
    return new AdapterShape(layers, 16, 0.05);
  }

  private static MemoryPlan plan(TinyModel weights, AdapterParameters adapter, PassLimits limits) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, weights.config(), limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.plan(plan, adapter, BalanceLoss.MASKED, limits.tokens());
    return plan.build();
  }

  private static List<Example> examples() {
    List<Example> examples = new ArrayList<>();
    for (int e = 0; e < EXAMPLES; e++) {
      int[] tokens = new SplittableRandom(e).ints(TOKENS, 0, VOCABULARY).toArray();
      int[] labels = tokens.clone();
      Arrays.fill(labels, 0, TOKENS - 3, Example.IGNORE);
      examples.add(new Example(tokens, labels, "example " + e));
    }
    return examples;
  }
}
