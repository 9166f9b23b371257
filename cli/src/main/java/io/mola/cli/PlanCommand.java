package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.DevicePlacement;
import io.mola.core.failure.UsageException;
import io.mola.core.model.PassLimits;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.train.FastestMicroBatch;
import io.mola.core.train.FootprintPlan;
import io.mola.core.train.FootprintPlanner;
import io.mola.core.train.ProcessFootprint;
import io.mola.core.weights.ConfigJson;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.IntFunction;
import picocli.CommandLine.Command;

/** What a run would train and how much memory it would need; nothing is allocated. */
@Command(
    name = "plan",
    description =
        "Show what 'finetune' with the same settings would train and how much memory it would need,"
            + " without starting. The base model may also be a bare config.json.%n")
final class PlanCommand extends Subcommand {
  private static final int HEAD_ROWS = 128;
  private static final int ASSUMED_TOKENS = 256;

  @Override
  List<Key<?>> keys() {
    List<Key<?>> keys = new ArrayList<>(FinetuneKeys.ALL);
    keys.removeAll(List.of(Keys.OUTPUT_DIR, Keys.OVERWRITE, Keys.FORCE));
    keys.removeAll(RunContinuity.KEYS);
    return keys;
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    Path model = settings.require(Keys.BASE_MODEL);
    Optional<Path> config = bareConfig(model);
    if (config.isPresent()) {
      ModelConfig shape = ConfigJson.read(config.get());
      return show(settings, shape, planning(settings, shape, Optional.empty()), output);
    }
    try (WeightSource source = WeightFormats.open(model)) {
      return show(
          settings,
          source.config(),
          planning(settings, source.config(), Optional.of(source)),
          output);
    }
  }

  /** A config.json itself, or a folder that has one but no weights. */
  private static Optional<Path> bareConfig(Path path) {
    if (Files.isRegularFile(path) && path.toString().endsWith(".json")) {
      return Optional.of(path);
    }
    Path config = path.resolve("config.json");
    boolean hasWeights =
        Files.exists(path.resolve("model.safetensors"))
            || Files.exists(path.resolve("model.safetensors.index.json"));
    return Files.exists(config) && !hasWeights ? Optional.of(config) : Optional.empty();
  }

  /** Plans within a limit in bytes, or without one. */
  private interface Planning {
    FootprintPlan within(AdapterShape shape, OptionalLong limitBytes);
  }

  private static Planning planning(
      Settings settings, ModelConfig config, Optional<WeightSource> source) {
    TrainingSettings training = TrainingSettings.of(settings);
    int length = length(settings);
    int kept = TrainingSettings.recompute(settings) ? 1 : config.layers();
    PassLimits oneByOne = new PassLimits(length, length, length, kept, HEAD_ROWS);
    return (shape, limitBytes) -> {
      try (Backend backend =
          Backends.choose(settings.get(Keys.BACKEND))
              .open(new BackendSettings(ComputeSettings.threads(settings), 0))) {
        FootprintPlanner planner = planner(settings, config, source, shape, backend);
        IntFunction<FootprintPlan> ofSize =
            size -> {
              int tokens = Math.multiplyExact(size, length);
              PassLimits limits = new PassLimits(tokens, tokens, length, kept, HEAD_ROWS);
              return limitBytes.isPresent()
                  ? planner.within(limits, oneByOne, limitBytes.getAsLong())
                  : planner.unlimited(limits);
            };
        int most = training.microBatchSize();
        if (!training.automatic()) {
          return ofSize.apply(most);
        }
        // where nothing fits, what the smallest needs is told
        return ofSize.apply(limitBytes.isPresent() ? FastestMicroBatch.of(most, ofSize) : 1);
      }
    };
  }

  /** Tokens of an example. */
  private static int length(Settings settings) {
    return settings.find(Keys.CUTOFF_LEN).orElse(ASSUMED_TOKENS);
  }

  private static FootprintPlanner planner(
      Settings settings,
      ModelConfig config,
      Optional<WeightSource> source,
      AdapterShape shape,
      Backend backend) {
    AdapterParameters adapter = new AdapterParameters(config, shape);
    int copies = settings.find(Keys.ADAPTER).isPresent() ? 2 : 1;
    return new FootprintPlanner(
        config,
        adapter,
        AdapterSettings.balanceLoss(settings, shape),
        backend.memory(),
        name ->
            source
                .flatMap(weights -> weights.find(name))
                .map(StoredMatrix::type)
                .orElse(config.weightType()),
        source.map(WeightSource::mappedBytes).orElseGet(() -> ModelSize.bytes(config)),
        ProcessFootprint.of(config, adapter, copies, List.of()));
  }

  private static int show(Settings settings, ModelConfig config, Planning planning, Output output) {
    AdapterShape shape =
        StartingAdapter.find(settings, config)
            .map(adapter -> adapter.layout().shape())
            .orElseGet(() -> AdapterSettings.shape(settings, config));
    long limit = ComputeSettings.memoryLimit(settings);
    output.text().println(ExpertAllocation.describe(shape, config));
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("trainable_parameters", shape.parameters(config));
    answer.put("num_experts", AdapterSettings.numExperts(shape));
    answer.put("lora_r", AdapterSettings.ranks(shape));
    answer.put("top_k", AdapterSettings.topK(shape));
    FootprintPlan plan;
    String fault = null;
    try {
      plan = planning.within(shape, OptionalLong.of(limit));
    } catch (UsageException e) {
      fault = e.getMessage();
      plan = planning.within(shape, OptionalLong.empty());
    }
    int size = plan.limits().tokens() / length(settings);
    int microBatches = TrainingSettings.of(settings).batchSize() / size;
    PlanTable.print(plan, microBatches, output.text());
    answer.put("micro_batch_size", size);
    answer.put("planned_bytes", plan.totalBytes());
    answer.put("fits", fault == null);
    answer.put("parts", plan.parts());
    Optional<DevicePlacement> device = plan.device();
    device.ifPresent(
        placement -> answer.put("device", new DeviceTable(placement, microBatches).answer()));
    output.answer(answer);
    if (fault != null) {
      output.remarks().println("mola: does not fit: " + fault);
      boolean certain = device.isPresent() && !device.get().fits();
      return certain || settings.find(Keys.MAX_MEMORY).isPresent() ? 2 : 0;
    }
    return 0;
  }
}
