package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.failure.UsageException;
import io.mola.core.train.ShuffledEpochs;
import io.mola.core.verify.CaseResult;
import io.mola.core.verify.ParityRun;
import io.mola.core.verify.ParityVerifier;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/** Two backends on the user's own model and data, with the settings of a fine-tuning run. */
final class BackendParity {
  private static final int DEFAULT_STEPS = 3;

  /** What it needs to know. */
  static final List<Key<?>> KEYS = keys();

  private BackendParity() {}

  private static List<Key<?>> keys() {
    List<Key<?>> keys =
        new ArrayList<>(List.of(Keys.AGAINST, Keys.TOLERANCE, Keys.BASE_MODEL, Keys.DATA_PATH));
    keys.addAll(AdapterSettings.KEYS);
    keys.addAll(TrainingSettings.KEYS);
    keys.addAll(FinetuneKeys.DATA);
    return List.copyOf(keys);
  }

  /** The differences of {@code --backend} from {@code --against}. */
  static List<CaseResult> compare(Settings settings, Output output) {
    BackendProvider own = Backends.choose(settings.get(Keys.BACKEND));
    BackendProvider other = Backends.choose(settings.require(Keys.AGAINST));
    if (own.name().equals(other.name())) {
      throw new UsageException(
          "--backend and --against are both " + own.name() + "; give two different backends");
    }
    Path model = settings.require(Keys.BASE_MODEL);
    settings.require(Keys.DATA_PATH);
    try (WeightSource source = WeightFormats.open(model)) {
      ParityRun run = run(settings, source, output);
      output
          .text()
          .printf(
              "%s against %s: %d steps of %s%n",
              own.name(), other.name(), run.batches().steps(), model);
      return new ParityVerifier(
              run,
              settings
                  .find(Keys.TOLERANCE)
                  .map(OptionalDouble::of)
                  .orElseGet(OptionalDouble::empty))
          .compare(
              own.name() + " against " + other.name(),
              opening(own, settings),
              opening(other, settings));
    }
  }

  private static Supplier<Backend> opening(BackendProvider provider, Settings settings) {
    long cache = Runtime.getRuntime().maxMemory() / 2;
    return () -> provider.open(new BackendSettings(ComputeSettings.threads(settings), cache));
  }

  private static ParityRun run(Settings settings, WeightSource source, Output output) {
    AdapterShape shape = AdapterSettings.shape(settings, source.config());
    TrainingSettings training = TrainingSettings.of(settings);
    TrainingData data =
        TrainingData.read(settings, source, settings.require(Keys.DATA_PATH), output);
    int asked = training.maxSteps() == 0 ? DEFAULT_STEPS : training.maxSteps();
    ShuffledEpochs batches =
        new ShuffledEpochs(
            data.training(),
            training.batchSize(),
            training.epochs(),
            asked,
            settings.get(Keys.SEED));
    if (training.automatic()) {
      throw new UsageException(
          "--micro-batch-size auto plans the memory of one backend: give 'verify --against' a number");
    }
    return new ParityRun(
        source,
        shape,
        AdapterSettings.balanceLoss(settings, shape),
        settings.get(Keys.ROUTER_AUX_LOSS_COEF),
        TrainingSettings.optimizer(settings, batches.steps()),
        batches,
        training.microBatchSize(),
        TrainingSettings.prefixes(settings),
        settings.get(Keys.SEED));
  }
}
