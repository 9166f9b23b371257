package io.mola.core.verify;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.InnerPrecision;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.LearningRate;
import io.mola.core.train.TrainingStep;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What one backend computes in the first steps of a training run: the same for every backend, to
 * rounding.
 *
 * @param precision of the backend
 * @param logits [m, V] of the labelled rows of the first micro-batch
 * @param gradients of the first step, flat as {@link AdapterParameters} lays them out
 * @param losses mean cross-entropy before each step
 * @param parameters after the last step
 * @param start parameters before the first
 */
record TrainingTrace(
    InnerPrecision precision,
    float[] logits,
    float[] gradients,
    double[] losses,
    float[] parameters,
    float[] start) {
  private static final int HEAD_ROWS = 128;

  /** As large as a trained B: with B = 0, as an adapter begins, most gradients would be 0. */
  private static final double SPREAD = 0.02;

  /** Runs the steps. Region and model are closed before it returns. */
  static TrainingTrace of(Backend backend, ParityRun run) {
    AdapterParameters adapter = new AdapterParameters(run.source().config(), run.shape());
    PassLimits limits = limits(run);
    try (Transformer model = Transformer.load(backend, run.source());
        Region region = backend.memory().allocate(plan(run, adapter, limits))) {
      float[] start = awake(adapter, run.seed());
      Tensor parameters = region.tensor(TrainingStep.PARAMETERS);
      backend.memory().upload(start, parameters);
      MolaHook hook =
          new MolaHook(
              backend,
              adapter,
              region,
              parameters,
              region.tensor(TrainingStep.GRADIENTS),
              new MolaHook.Settings(run.balance(), run.coefficient(), run.seed()));
      TrainingPass pass = new TrainingPass(model, hook, region, limits);
      TrainingStep step = new TrainingStep(backend, pass, hook, region, run.optimizer());
      float[] logits = logits(pass, microBatches(run, 0).getFirst(), model);
      float[] gradients = new float[adapter.size()];
      double[] losses = steps(run, step, backend, region, gradients);
      float[] trained = new float[adapter.size()];
      backend.memory().download(parameters, trained);
      return new TrainingTrace(backend.precision(), logits, gradients, losses, trained, start);
    }
  }

  private static double[] steps(
      ParityRun run, TrainingStep step, Backend backend, Region region, float[] firstGradients) {
    int count = run.batches().steps();
    LearningRate rates = LearningRate.of(run.optimizer(), count);
    double[] losses = new double[count];
    for (int s = 0; s < count; s++) {
      losses[s] = step.gradients(microBatches(run, s), s, true).loss();
      if (s == 0) {
        backend.memory().download(region.tensor(TrainingStep.GRADIENTS), firstGradients);
      }
      step.update(rates.at(s), s + 1);
    }
    return losses;
  }

  private static float[] logits(TrainingPass pass, TokenBatch batch, Transformer model) {
    float[] logits =
        new float[Math.multiplyExact(batch.labelled(), model.config().vocabularySize())];
    pass.upload(batch);
    pass.logits(logits);
    return logits;
  }

  private static List<TokenBatch> microBatches(ParityRun run, int step) {
    return BatchBuilder.microBatches(
        run.batches().batch(step), run.microBatchSize(), run.prefixes());
  }

  /** Initial parameters, everything moved a little. */
  private static float[] awake(AdapterParameters adapter, long seed) {
    float[] flat = adapter.initial(seed);
    SplittableRandom random = new SplittableRandom(seed);
    for (AdapterTensor tensor : adapter.tensors()) {
      float[] values = tensor.read(flat);
      for (int i = 0; i < values.length; i++) {
        values[i] += (float) (SPREAD * random.nextGaussian());
      }
      tensor.write(values, flat);
    }
    return flat;
  }

  private static MemoryPlan plan(ParityRun run, AdapterParameters adapter, PassLimits limits) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, run.source().config(), limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.plan(plan, adapter, run.balance(), limits.tokens());
    MolaHook.inferencePlan(plan, adapter, limits.tokens());
    return plan.build();
  }

  private static PassLimits limits(ParityRun run) {
    int tokens = 1;
    int labelled = 1;
    int positions = 1;
    for (int s = 0; s < run.batches().steps(); s++) {
      for (TokenBatch batch : microBatches(run, s)) {
        tokens = Math.max(tokens, batch.size());
        labelled = Math.max(labelled, batch.labelled());
      }
      for (Example example : run.batches().batch(s)) {
        positions = Math.max(positions, example.length());
      }
    }
    return new PassLimits(tokens, labelled, positions, 1, HEAD_ROWS);
  }
}
