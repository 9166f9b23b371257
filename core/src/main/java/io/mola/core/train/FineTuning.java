package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/** A fine-tuning run from frozen weights and examples to trained parameters. */
public final class FineTuning {
  private static final int HEAD_ROWS = 128;

  private final FineTuneRequest request;
  private final ModelConfig config;
  private final AdapterParameters adapter;
  private final ShuffledEpochs batches;
  private final LargestMicroBatch largest;

  /** Prepares a run; nothing large is allocated. */
  public FineTuning(FineTuneRequest request) {
    this.request = request;
    config = request.source().config();
    adapter = new AdapterParameters(config, request.shape());
    request.start().ifPresent(this::requireSameTensors);
    batches =
        new ShuffledEpochs(
            request.training(),
            request.batchSize(),
            request.epochs(),
            request.maxSteps(),
            request.seed());
    largest = LargestMicroBatch.of(batches, request.microBatchSize(), request.prefixes());
  }

  private void requireSameTensors(LoadedAdapter start) {
    if (!start.layout().tensors().equals(adapter.tensors())) {
      throw new IllegalArgumentException(start.path() + " has other tensors than the shape says");
    }
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
              request.source().mappedBytes(),
              process())
          .within(limits(largest), limits(oneByOne()), request.memoryLimitBytes());
    }
  }

  private ProcessFootprint process() {
    List<Example> data = new ArrayList<>(request.training());
    data.addAll(request.validation());
    return ProcessFootprint.of(config, adapter, request.start().isPresent() ? 2 : 1, data);
  }

  private QuantType weightType(String canonicalName) {
    return request
        .source()
        .find(canonicalName)
        .map(StoredMatrix::type)
        .orElseThrow(() ->
            new MalformedFileException(request.source().path(), canonicalName + " is missing"));
  }

  /**
   * Trains.
   *
   * @param continuity which checkpoints are kept, and from which one the run goes on
   * @throws io.mola.core.failure.UsageException if that checkpoint is of another run
   */
  public FineTuneResult run(FootprintPlan plan, Continuity continuity, TrainingListener listener) {
    RunIdentity identity = identity(continuity);
    BackendSettings settings = new BackendSettings(request.threads(), plan.weightCacheBytes());
    collectGarbage();
    try (Backend backend = request.backend().open(settings);
        Transformer model = Transformer.load(backend, request.source());
        Region region = allocate(backend.memory(), plan)) {
      // One array of all parameters serves first to set them and then whenever they are saved.
      float[] host = firstParameters(continuity.resume());
      begin(backend.memory(), region, continuity.resume(), host);
      int first = continuity.resume().map(Checkpoint::step).orElse(0);
      MolaHook hook = hook(backend, region);
      TrainingPass pass = new TrainingPass(model, hook, region, plan.limits());
      Evaluation evaluation =
          new Evaluation(backend, pass, region, plan.limits(), request.prefixes());
      OptionalDouble before = evaluate(evaluation, first, listener);
      CheckpointWriter checkpoints = writer(continuity, identity, backend.memory(), region, host);
      List<StepReport> reports =
          new Trainer(
                  new TrainingStep(backend, pass, hook, region, request.optimizer()),
                  batches,
                  LearningRate.of(request.optimizer(), batches.steps()),
                  new MicroBatches(request.microBatchSize(), request.prefixes(), largest.rows()),
                  listener,
                  checkpoints)
              .run(first);
      boolean stoppedEarly = first + reports.size() < batches.steps();
      OptionalDouble after =
          stoppedEarly ? OptionalDouble.empty() : evaluate(evaluation, batches.steps(), listener);
      backend.memory().download(region.tensor(TrainingStep.PARAMETERS), host);
      return new FineTuneResult(
          adapter,
          host,
          first,
          reports,
          before,
          after,
          plan,
          stoppedEarly,
          backend.counts(),
          Optional.ofNullable(checkpoints).map(CheckpointWriter::newest));
    }
  }

  /**
   * What reading the data left behind would otherwise stay below the large buffers for the whole
   * run: the heap grows before it is cleaned. Small here, so it takes milliseconds.
   */
  private static void collectGarbage() {
    System.gc();
  }

  private Region allocate(Memory memory, FootprintPlan plan) {
    FootprintPlan.Workspace w = plan.workspace();
    memory.reserveWorkspace(w.tokens(), w.widest(), w.stackedRank());
    return memory.allocate(slots(plan.limits()));
  }

  /**
   * Read before anything large is allocated: the fingerprint costs a pass over the model's file.
   */
  private RunIdentity identity(Continuity continuity) {
    if (continuity.equals(Continuity.NONE)) {
      return new RunIdentity(Map.of());
    }
    RunIdentity identity = RunIdentity.of(request, continuity.baseFingerprint(), batches.steps());
    continuity
        .resume()
        .ifPresent(checkpoint -> {
          checkpoint.requireSame(identity);
          checkpoint.requireMoments(adapter, batches.steps());
        });
    return identity;
  }

  private @Nullable CheckpointWriter writer(
      Continuity continuity, RunIdentity identity, Memory memory, Region region, float[] host) {
    return continuity
        .checkpoints()
        .map(where ->
            new CheckpointWriter(
                where,
                identity,
                request.backend().name(),
                adapter,
                memory,
                region,
                host,
                continuity.resume().orElse(null)))
        .orElse(null);
  }

  private MolaHook hook(Backend backend, Region region) {
    return new MolaHook(
        backend,
        adapter,
        region,
        region.tensor(TrainingStep.PARAMETERS),
        region.tensor(TrainingStep.GRADIENTS),
        new MolaHook.Settings(request.balanceLoss(), request.balanceCoefficient(), request.seed()));
  }

  /** The parameters that the run begins with, in an array of its own. */
  private float[] firstParameters(Optional<Checkpoint> resume) {
    return resume
        .map(checkpoint -> checkpoint.parameters(adapter))
        .or(() -> request.start().map(start -> start.parameters().clone()))
        .orElseGet(() -> adapter.initial(request.seed()));
  }

  /**
   * Sets the parameters, and AdamW's moments where the run goes on.
   *
   * @param host the parameters; afterwards its content is of no use
   */
  private void begin(Memory memory, Region region, Optional<Checkpoint> resume, float[] host) {
    memory.upload(host, region.tensor(TrainingStep.PARAMETERS));
    resume.ifPresent(checkpoint -> {
      for (String moment : List.of(TrainingStep.FIRST_MOMENT, TrainingStep.SECOND_MOMENT)) {
        checkpoint.readMoment(moment, host);
        memory.upload(host, region.tensor(moment));
      }
    });
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

  private LargestMicroBatch oneByOne() {
    return request.microBatchSize() == 1
        ? largest
        : LargestMicroBatch.of(batches, 1, request.prefixes());
  }

  /** Room for the largest micro-batch, and for the longest held-back example. */
  private PassLimits limits(LargestMicroBatch training) {
    int tokens = training.rows().tokens();
    int labelled = training.rows().labelled();
    int positions = training.positions();
    for (Example example : request.validation()) {
      tokens = Math.max(tokens, example.length());
      labelled = Math.max(labelled, example.targets());
      positions = Math.max(positions, example.length());
    }
    int kept = request.recompute() ? 1 : config.layers();
    return new PassLimits(tokens, labelled, positions, kept, HEAD_ROWS);
  }
}
