package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.List;
import java.util.OptionalDouble;

/** A fine-tuning run from frozen weights and examples to trained parameters. */
public final class FineTuning {
  private static final int HEAD_ROWS = 128;

  private final FineTuneRequest request;
  private final ModelConfig config;
  private final AdapterParameters adapter;
  private final BatchSource batches;

  /** Prepares a run; nothing large is allocated. */
  public FineTuning(FineTuneRequest request) {
    this.request = request;
    config = request.source().config();
    adapter = new AdapterParameters(config, request.shape());
    batches =
        new ShuffledEpochs(
            request.training(),
            request.batchSize(),
            request.epochs(),
            request.maxSteps(),
            request.seed());
  }

  /**
   * The memory that {@link #run} will need.
   *
   * @throws io.mola.core.failure.UsageException if the limit cannot be met
   */
  public FootprintPlan plan() {
    try (Backend backend = request.backend().open(new BackendSettings(request.threads(), 0))) {
      return new FootprintPlanner(
              config,
              adapter,
              request.balanceLoss(),
              backend.memory(),
              this::weightType,
              request.source().mappedBytes())
          .within(limits(), request.memoryLimitBytes());
    }
  }

  private QuantType weightType(String canonicalName) {
    return request
        .source()
        .find(canonicalName)
        .map(StoredMatrix::type)
        .orElseThrow(() ->
            new MalformedFileException(request.source().path(), canonicalName + " is missing"));
  }

  /** Trains. */
  public FineTuneResult run(FootprintPlan plan, TrainingListener listener) {
    BackendSettings settings = new BackendSettings(request.threads(), plan.weightCacheBytes());
    try (Backend backend = request.backend().open(settings);
        Transformer model = Transformer.load(backend, request.source());
        Region region = backend.memory().allocate(slots(plan.limits()))) {
      Tensor parameters = region.tensor(TrainingStep.PARAMETERS);
      backend.memory().upload(adapter.initial(request.seed()), parameters);
      MolaHook hook =
          new MolaHook(
              backend,
              adapter,
              region,
              parameters,
              region.tensor(TrainingStep.GRADIENTS),
              new MolaHook.Settings(
                  request.balanceLoss(), request.balanceCoefficient(), request.seed()));
      TrainingPass pass = new TrainingPass(model, hook, region, plan.limits());
      Evaluation evaluation =
          new Evaluation(backend, pass, region, plan.limits(), request.prefixes());
      OptionalDouble before = evaluate(evaluation, 0, listener);
      TrainingStep step = new TrainingStep(backend, pass, hook, region, request.optimizer());
      List<StepReport> reports =
          new Trainer(
                  step,
                  batches,
                  LearningRate.of(request.optimizer(), batches.steps()),
                  request.microBatchSize(),
                  request.prefixes(),
                  listener)
              .run();
      OptionalDouble after = evaluate(evaluation, reports.size(), listener);
      float[] trained = new float[adapter.size()];
      backend.memory().download(parameters, trained);
      return new FineTuneResult(
          adapter, trained, reports, before, after, plan, reports.size() < batches.steps());
    }
  }

  private OptionalDouble evaluate(Evaluation evaluation, int step, TrainingListener listener) {
    if (request.validation().isEmpty()) {
      return OptionalDouble.empty();
    }
    double loss = evaluation.of(request.validation()).loss();
    listener.evaluated(step, loss);
    return OptionalDouble.of(loss);
  }

  private MemoryPlan slots(PassLimits limits) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, config, limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.plan(plan, adapter, request.balanceLoss(), limits.tokens());
    MolaHook.inferencePlan(plan, adapter, limits.tokens());
    Evaluation.plan(plan);
    return plan.build();
  }

  /** The largest micro-batch that the run will really see, and the longest held-back example. */
  private PassLimits limits() {
    int tokens = 1;
    int labelled = 1;
    int positions = 1;
    for (int s = 0; s < batches.steps(); s++) {
      List<Example> batch = batches.batch(s);
      for (TokenBatch micro :
          BatchBuilder.microBatches(batch, request.microBatchSize(), request.prefixes())) {
        tokens = Math.max(tokens, micro.size());
        labelled = Math.max(labelled, micro.labelled());
      }
      for (Example example : batch) {
        positions = Math.max(positions, example.length());
      }
    }
    for (Example example : request.validation()) {
      tokens = Math.max(tokens, example.length());
      labelled = Math.max(labelled, example.targets());
      positions = Math.max(positions, example.length());
    }
    int kept = request.recompute() ? 1 : config.layers();
    return new PassLimits(tokens, labelled, positions, kept, HEAD_ROWS);
  }
}
