package io.mola.cli;

import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.Backends;
import io.mola.core.backend.OperationTimes;
import io.mola.core.backend.ProfiledBackend;
import io.mola.core.tokenizer.TokenizerFingerprint;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.FastestMicroBatch;
import io.mola.core.train.FineTuneRequest;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.FootprintPlan;
import io.mola.core.train.ProcessMemory;
import io.mola.core.train.StepProfile;
import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** One run of {@code finetune}: plan, train, save, report. */
final class FinetuneRun {
  private final Settings settings;
  private final FineTuneRequest request;
  private final TrainingData data;
  private final FineTuning tuning;
  private final FootprintPlan plan;
  private final RunContinuity continuity;
  private final BaseFingerprint base;
  private final Output output;
  private final OperationTimes times;

  private FinetuneRun(
      Settings settings,
      FineTuneRequest request,
      TrainingData data,
      RunContinuity continuity,
      BaseFingerprint base,
      OperationTimes times,
      Output output) {
    this.settings = settings;
    this.request = request;
    this.data = data;
    this.continuity = continuity;
    this.base = base;
    this.times = times;
    this.output = output;
    tuning = new FineTuning(request);
    plan = tuning.plan();
  }

  /**
   * Reads the examples and plans the memory; says what will be trained.
   *
   * @throws io.mola.core.failure.UsageException if anything the run needs is missing or wrong
   */
  static FinetuneRun prepare(
      Settings settings, WeightSource source, Path path, RunContinuity continuity, Output output) {
    BaseFingerprint base = new BaseFingerprint(source);
    Optional<LoadedAdapter> start = StartingAdapter.find(settings, source.config());
    start.ifPresent(adapter -> requireBase(adapter, base, settings));
    AdapterShape shape =
        start
            .map(adapter -> adapter.layout().shape())
            .orElseGet(() -> AdapterSettings.shape(settings, source.config()));
    BalanceLoss balance = AdapterSettings.balanceLoss(settings, shape);
    TrainingSettings training = TrainingSettings.of(settings);
    OperationTimes times = new OperationTimes();
    BackendProvider chosen = Backends.choose(settings.get(Keys.BACKEND));
    BackendProvider backend =
        settings.get(Keys.PROFILE) ? ProfiledBackend.provider(chosen, times) : chosen;
    TrainingData data = TrainingData.read(settings, source, path, output);
    FineTuneRequest wanted =
        new FineTuneRequest(
            source,
            backend,
            ComputeSettings.threads(settings),
            ComputeSettings.memoryLimit(settings),
            shape,
            start,
            balance,
            settings.get(Keys.ROUTER_AUX_LOSS_COEF),
            TrainingSettings.optimizer(settings, training.steps(data.training().size())),
            data.training(),
            data.validation(),
            training.batchSize(),
            training.microBatchSize(),
            TrainingSettings.prefixes(settings),
            training.epochs(),
            training.maxSteps(),
            TrainingSettings.recompute(settings),
            settings.get(Keys.SEED));
    FineTuneRequest request = training.automatic() ? fastest(wanted) : wanted;
    FinetuneRun run = new FinetuneRun(settings, request, data, continuity, base, times, output);
    run.announce(training);
    return run;
  }

  private static FineTuneRequest fastest(FineTuneRequest wanted) {
    return wanted.withMicroBatchSize(
        FastestMicroBatch.of(
            wanted.batchSize(), size -> new FineTuning(wanted.withMicroBatchSize(size)).plan()));
  }

  private static void requireBase(LoadedAdapter adapter, BaseFingerprint base, Settings settings) {
    if (adapter.provenance().baseFingerprint() != null) {
      adapter.requireBase(base.value(), settings.get(Keys.FORCE));
    }
  }

  private void announce(TrainingSettings training) {
    output.text().println(ExpertAllocation.describe(request.shape(), request.source().config()));
    request
        .start()
        .ifPresent(adapter ->
            output
                .text()
                .printf(
                    Locale.ROOT,
                    "from the adapter %s, alpha %s, dropout %s%n",
                    adapter.path(),
                    request.shape().alpha(),
                    request.shape().dropout()));
    continuity.resume().ifPresent(checkpoint -> announce(checkpoint, training));
    output
        .text()
        .printf(
            Locale.ROOT,
            "%,d examples (%,d held back), %,d steps of %d (%d at a time), backend %s, %d"
                + " threads%n",
            request.training().size(),
            request.validation().size(),
            training.steps(request.training().size()),
            training.batchSize(),
            request.microBatchSize(),
            request.backend().name(),
            request.threads());
    PlanTable.print(plan, microBatches(), output.text());
  }

  private void announce(Checkpoint checkpoint, TrainingSettings training) {
    output
        .text()
        .printf(
            Locale.ROOT,
            "going on from %s, after step %,d of %,d%n",
            checkpoint.folder(),
            checkpoint.step(),
            training.steps(request.training().size()));
    if (!checkpoint.backend().equals(request.backend().name())) {
      output
          .remarks()
          .printf(
              "the steps before were computed by the backend %s, so the result will not have the"
                  + " bytes of an uninterrupted run%n",
              checkpoint.backend());
    }
  }

  /**
   * Trains and saves.
   *
   * @param typed the options as the user gave them, to say how to go on
   * @return the figures of the run; empty if it was interrupted
   */
  Optional<Map<String, Object>> execute(List<String> typed) {
    try (Interruption interruption = new Interruption()) {
      FineTuneResult result;
      StepProfile profile;
      try (ProgressView view =
          new ProgressView(interruption::requested, Integer.getInteger("mola.columns", 0))) {
        profile = new StepProfile(times, view);
        TrainingListener listener = settings.get(Keys.PROFILE) ? profile : view;
        result = tuning.run(plan, continuity.toRun(base, this::provenance), listener);
      }
      ProfileTable.print(profile, output.remarks());
      if (result.stoppedEarly()) {
        reportInterrupted(result, typed);
        return Optional.empty();
      }
      String sha256 = save(result);
      Map<String, Object> answer = answer(result, sha256);
      if (settings.get(Keys.PROFILE)) {
        answer.put("profile", ProfileTable.answer(profile));
      }
      report(result);
      output.text().printf("adapter: %s%n", settings.get(Keys.OUTPUT_DIR));
      return Optional.of(answer);
    }
  }

  private String save(FineTuneResult result) {
    return AdapterFolder.save(
        settings.get(Keys.OUTPUT_DIR),
        result.adapter(),
        result.parameters(),
        provenance(),
        settings.get(Keys.OVERWRITE));
  }

  /** The state is in a checkpoint where the run keeps any; otherwise the adapter is saved. */
  private void reportInterrupted(FineTuneResult result, List<String> typed) {
    boolean trained = !result.steps().isEmpty();
    if (trained) {
      report(result);
    }
    Optional<Path> checkpoint = result.checkpoint();
    if (checkpoint.isPresent()) {
      output.text().printf("checkpoint: %s%n", checkpoint.get());
      output.text().printf("go on: %s%n", RunContinuity.command(typed, checkpoint.get()));
    } else if (trained) {
      save(result);
      output
          .text()
          .printf(
              "adapter of the interrupted run: %s (a new run trains it further with --adapter;"
                  + " with --save-steps N, a run can go on as if it had not stopped)%n",
              settings.get(Keys.OUTPUT_DIR));
    } else {
      output.text().println("nothing was trained, nothing was saved");
    }
  }

  private AdapterProvenance provenance() {
    Optional<TokenizerFingerprint> tokenizer = data.tokenizerFingerprint();
    return new AdapterProvenance(
        request.source().path().toString(),
        base.value(),
        tokenizer.map(TokenizerFingerprint::vocabularySha256).orElse(null),
        tokenizer.map(TokenizerFingerprint::chatTemplateSha256).orElse(null),
        request.balanceLoss(),
        request.balanceCoefficient());
  }

  private Map<String, Object> answer(FineTuneResult result, String sha256) {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("steps", result.steps().size());
    answer.put("resumed_step", result.resumedStep());
    answer.put("train_loss", result.steps().isEmpty() ? null : result.steps().getLast().loss());
    answer.put("train_losses", result.steps().stream().map(StepReport::loss).toList());
    answer.put("eval_loss_before", orNull(result.evalLossBefore()));
    answer.put("eval_loss", orNull(result.evalLoss()));
    answer.put("tokens", result.tokens());
    double speed = result.tokensPerSecond();
    answer.put("tokens_per_second", Double.isFinite(speed) ? speed : null);
    OptionalLong peak = ProcessMemory.peakResidentBytes();
    answer.put("peak_rss_bytes", peak.isPresent() ? peak.getAsLong() : null);
    answer.put("planned_bytes", plan.totalBytes());
    answer.put("micro_batch_size", request.microBatchSize());
    plan.device()
        .ifPresent(
            placement -> answer.put("device", new DeviceTable(placement, microBatches()).answer()));
    answer.put("trainable_parameters", request.shape().parameters(request.source().config()));
    answer.put("backend", request.backend().name());
    answer.put("backend_counts", result.backendCounts());
    answer.put("adapter_dir", settings.get(Keys.OUTPUT_DIR).toString());
    answer.put("adapter_sha256", sha256);
    return answer;
  }

  private int microBatches() {
    return request.batchSize() / request.microBatchSize();
  }

  private static @Nullable Double orNull(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  private void report(FineTuneResult result) {
    if (!result.steps().isEmpty()) {
      output.text().println(learnt(result));
    }
    ProcessMemory.peakResidentBytes()
        .ifPresent(peak ->
            output
                .text()
                .printf(
                    Locale.ROOT,
                    "memory: peak %,.1f MiB, planned %,.1f MiB%n",
                    PlanTable.mib(peak),
                    PlanTable.mib(plan.totalBytes())));
    if (!result.backendCounts().isEmpty()) {
      output.text().printf("%s: %s%n", request.backend().name(), counts(result.backendCounts()));
    }
  }

  private static String counts(Map<String, Long> counts) {
    return counts.entrySet().stream()
        .map(count ->
            String.format(
                Locale.ROOT, "%s %,d", count.getKey().replace('_', ' '), count.getValue()))
        .collect(Collectors.joining(", "));
  }

  private static String learnt(FineTuneResult result) {
    String line =
        String.format(
            Locale.ROOT,
            "loss %.4f -> %.4f in %,d steps, %,d tokens",
            result.steps().getFirst().loss(),
            result.steps().getLast().loss(),
            result.steps().size(),
            result.tokens());
    return result.steps().size() > 1
        ? line + String.format(Locale.ROOT, ", %,.0f tokens/s", result.tokensPerSecond())
        : line;
  }
}
