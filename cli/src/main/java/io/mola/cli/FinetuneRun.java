package io.mola.cli;

import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.Backends;
import io.mola.core.tokenizer.TokenizerFingerprint;
import io.mola.core.train.FineTuneRequest;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.FootprintPlan;
import io.mola.core.train.ProcessMemory;
import io.mola.core.train.StepReport;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** One run of {@code finetune}: plan, train, save, report. */
final class FinetuneRun {
  private final Settings settings;
  private final FineTuneRequest request;
  private final TrainingData data;
  private final FineTuning tuning;
  private final FootprintPlan plan;
  private final Output output;

  private FinetuneRun(
      Settings settings, FineTuneRequest request, TrainingData data, Output output) {
    this.settings = settings;
    this.request = request;
    this.data = data;
    this.output = output;
    tuning = new FineTuning(request);
    plan = tuning.plan();
  }

  /**
   * Reads the examples and plans the memory; says what will be trained.
   *
   * @throws io.mola.core.failure.UsageException if anything the run needs is missing or wrong
   */
  static FinetuneRun prepare(Settings settings, WeightSource source, Path path, Output output) {
    AdapterShape shape = AdapterSettings.shape(settings, source.config());
    BalanceLoss balance = AdapterSettings.balanceLoss(settings, shape);
    TrainingSettings training = TrainingSettings.of(settings);
    BackendProvider backend = Backends.choose(settings.get(Keys.BACKEND));
    TrainingData data = TrainingData.read(settings, source, path, output);
    FineTuneRequest request =
        new FineTuneRequest(
            source,
            backend,
            ComputeSettings.threads(settings),
            ComputeSettings.memoryLimit(settings),
            shape,
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
    FinetuneRun run = new FinetuneRun(settings, request, data, output);
    run.announce(training);
    return run;
  }

  private void announce(TrainingSettings training) {
    output.text().println(ExpertAllocation.describe(request.shape(), request.source().config()));
    output
        .text()
        .printf(
            Locale.ROOT,
            "%,d examples (%,d held back), %,d steps of %d, backend %s, %d threads%n",
            request.training().size(),
            request.validation().size(),
            training.steps(request.training().size()),
            training.batchSize(),
            request.backend().name(),
            request.threads());
    PlanTable.print(plan, output.text());
  }

  /**
   * Trains and saves.
   *
   * @return the figures of the run; empty if it was interrupted
   */
  Optional<Map<String, Object>> execute() {
    try (Interruption interruption = new Interruption()) {
      FineTuneResult result;
      try (ProgressView view =
          new ProgressView(interruption::requested, Boolean.getBoolean("mola.terminal"))) {
        result = tuning.run(plan, view);
      }
      if (interruption.requested() && result.steps().isEmpty()) {
        return Optional.empty();
      }
      Path folder = settings.get(Keys.OUTPUT_DIR);
      String sha256 =
          AdapterFolder.save(
              folder,
              result.adapter(),
              result.parameters(),
              provenance(),
              settings.get(Keys.OVERWRITE));
      Map<String, Object> answer = answer(result, folder, sha256);
      report(result, folder, interruption.requested());
      return interruption.requested() ? Optional.empty() : Optional.of(answer);
    }
  }

  private AdapterProvenance provenance() {
    Optional<TokenizerFingerprint> tokenizer = data.tokenizerFingerprint();
    return new AdapterProvenance(
        request.source().path().toString(),
        request.source().fingerprint(),
        tokenizer.map(TokenizerFingerprint::vocabularySha256).orElse(null),
        tokenizer.map(TokenizerFingerprint::chatTemplateSha256).orElse(null),
        request.balanceLoss(),
        request.balanceCoefficient());
  }

  private Map<String, Object> answer(FineTuneResult result, Path folder, String sha256) {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("steps", result.steps().size());
    answer.put("train_loss", result.steps().getLast().loss());
    answer.put("train_losses", result.steps().stream().map(StepReport::loss).toList());
    answer.put("eval_loss_before", orNull(result.evalLossBefore()));
    answer.put("eval_loss", orNull(result.evalLoss()));
    answer.put("tokens", result.tokens());
    double speed = result.tokensPerSecond();
    answer.put("tokens_per_second", Double.isFinite(speed) ? speed : null);
    OptionalLong peak = ProcessMemory.peakResidentBytes();
    answer.put("peak_rss_bytes", peak.isPresent() ? peak.getAsLong() : null);
    answer.put("planned_bytes", plan.totalBytes());
    answer.put("trainable_parameters", request.shape().parameters(request.source().config()));
    answer.put("backend", request.backend().name());
    answer.put("adapter_dir", folder.toString());
    answer.put("adapter_sha256", sha256);
    return answer;
  }

  private static @Nullable Double orNull(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  private void report(FineTuneResult result, Path folder, boolean interrupted) {
    StringBuilder line = new StringBuilder();
    line.append(
        String.format(
            Locale.ROOT,
            "loss %.4f -> %.4f in %,d steps, %,d tokens",
            result.steps().getFirst().loss(),
            result.steps().getLast().loss(),
            result.steps().size(),
            result.tokens()));
    if (result.steps().size() > 1) {
      line.append(String.format(Locale.ROOT, ", %,.0f tokens/s", result.tokensPerSecond()));
    }
    output.text().println(line);
    ProcessMemory.peakResidentBytes()
        .ifPresent(peak ->
            output
                .text()
                .printf(
                    Locale.ROOT,
                    "memory: peak %,.1f MiB, planned %,.1f MiB%n",
                    PlanTable.mib(peak),
                    PlanTable.mib(plan.totalBytes())));
    output.text().printf("adapter%s: %s%n", interrupted ? " of the interrupted run" : "", folder);
  }
}
