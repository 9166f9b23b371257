package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterFolder.Defaults;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.model.LinearHook;
import io.mola.core.model.PlainProjections;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.tokenizer.Tokenizers;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A model for inference, with an adapter if the settings name one. */
final class FrozenModel implements AutoCloseable {
  /** Settings that choose model, adapter and backend. */
  static final List<Key<?>> KEYS =
      List.of(
          Keys.BASE_MODEL, Keys.ADAPTER, Keys.FORCE, Keys.BACKEND, Keys.THREADS, Keys.MAX_MEMORY);

  private static final String PARAMETERS = "adapter.parameters";

  private final WeightSource source;
  private final Optional<LoadedAdapter> adapter;
  private final Backend backend;
  private final Transformer transformer;

  private FrozenModel(
      WeightSource source,
      Optional<LoadedAdapter> adapter,
      Backend backend,
      Transformer transformer) {
    this.source = source;
    this.adapter = adapter;
    this.backend = backend;
    this.transformer = transformer;
  }

  /**
   * Opens model, adapter and backend.
   *
   * @throws io.mola.core.failure.UsageException if one is missing, or the adapter is for another
   *     base
   */
  static FrozenModel open(Settings settings) {
    WeightSource source = WeightFormats.open(settings.require(Keys.BASE_MODEL));
    Backend backend = null;
    try {
      Optional<LoadedAdapter> adapter =
          settings.find(Keys.ADAPTER).map(folder -> adapter(settings, folder, source));
      backend = ComputeSettings.open(settings);
      return new FrozenModel(source, adapter, backend, Transformer.load(backend, source));
    } catch (RuntimeException | Error e) {
      if (backend != null) {
        backend.close();
      }
      source.close();
      throw e;
    }
  }

  private static LoadedAdapter adapter(Settings settings, Path folder, WeightSource source) {
    LoadedAdapter adapter = AdapterFolder.load(folder, source.config(), Defaults.OF_THE_PAPER);
    if (adapter.provenance().baseFingerprint() != null) {
      adapter.requireBase(source.fingerprint(), settings.get(Keys.FORCE));
    }
    return adapter;
  }

  /** The frozen weights. */
  WeightSource source() {
    return source;
  }

  /** Where it computes. */
  Backend backend() {
    return backend;
  }

  /** The model. */
  Transformer transformer() {
    return transformer;
  }

  /** The model's tokenizer. */
  Tokenizer tokenizer() {
    return Tokenizers.of(source.tokenizer());
  }

  /** Adds what {@link #hook} needs for at most {@code rows} rows at a time. */
  void planHook(MemoryPlan.Builder plan, int rows) {
    adapter.ifPresent(loaded -> {
      plan.f32(PARAMETERS, loaded.layout().rows(), AdapterParameters.COLUMNS);
      MolaHook.inferencePlan(plan, loaded.layout(), rows);
    });
  }

  /** The projections with the adapter, or as they are. */
  LinearHook hook(Region region) {
    if (adapter.isEmpty()) {
      return new PlainProjections(backend);
    }
    LoadedAdapter loaded = adapter.get();
    Tensor parameters = region.tensor(PARAMETERS);
    backend.memory().upload(loaded.parameters(), parameters);
    return new MolaHook(
        backend, loaded.layout(), region, parameters, null, MolaHook.Settings.INFERENCE);
  }

  @Override
  public void close() {
    transformer.close();
    backend.close();
    source.close();
  }
}
