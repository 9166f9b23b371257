package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.weights.ModelConfig;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The adapter that a fine-tuning run goes on from, where {@code --adapter} names one. It says how
 * many experts there are, their rank, top-k and alpha; a setting that says otherwise is an error.
 * Dropout belongs to training and may be given anew.
 */
final class StartingAdapter {
  private final Settings settings;
  private final ModelConfig config;
  private final LoadedAdapter adapter;
  private final AdapterShape shape;

  private StartingAdapter(Settings settings, ModelConfig config, LoadedAdapter adapter) {
    this.settings = settings;
    this.config = config;
    this.adapter = adapter;
    shape = adapter.layout().shape();
  }

  /**
   * Loads it.
   *
   * @throws UsageException if it cannot be read or a setting contradicts it; both are named
   */
  static Optional<LoadedAdapter> find(Settings settings, ModelConfig config) {
    return settings.find(Keys.ADAPTER).map(path -> load(settings, config, path));
  }

  private static LoadedAdapter load(Settings settings, ModelConfig config, Path path) {
    AdapterFolder.Defaults paper = AdapterFolder.Defaults.OF_THE_PAPER;
    // Files without a config say neither top-k nor alpha: there the settings do not contradict.
    AdapterFolder.Defaults unsaid =
        new AdapterFolder.Defaults(
            settings
                .given(Keys.TOP_K)
                .filter(text -> text.strip().matches("[1-9][0-9]{0,5}"))
                .map(text -> Integer.valueOf(text.strip()))
                .orElse(paper.topK()),
            settings.given(Keys.LORA_ALPHA).orElse(paper.alpha()));
    LoadedAdapter adapter = AdapterFolder.load(path, config, unsaid);
    new StartingAdapter(settings, config, adapter).requireAgreement();
    AdapterShape stored = adapter.layout().shape();
    AdapterShape trained =
        new AdapterShape(
            stored.layers(),
            stored.alpha(),
            settings.given(Keys.LORA_DROPOUT).orElse(stored.dropout()));
    return new LoadedAdapter(
        path, new AdapterParameters(config, trained), adapter.parameters(), adapter.provenance());
  }

  private void requireAgreement() {
    settings
        .given(Keys.NUM_EXPERTS)
        .ifPresent(spec -> {
          List<String> named = spec.indexOf('=') < 0 ? targets() : List.of();
          require(Keys.NUM_EXPERTS, spec, experts(asked(spec, "1", "1", named)), experts(shape));
        });
    settings
        .given(Keys.LORA_TARGET_MODULES)
        .ifPresent(names -> {
          List<String> named = AdapterSettings.names(names);
          require(
              Keys.LORA_TARGET_MODULES,
              names,
              experts(asked("1", "1", "1", named)).getFirst().keySet(),
              experts(asked("1", "1", "1", targets())).getFirst().keySet());
        });
    settings
        .given(Keys.LORA_R)
        .ifPresent(spec -> {
          List<AdapterShape.Layer> asked = asked("1", spec, "1", List.of()).layers();
          require(
              Keys.LORA_R,
              spec,
              ofLayers(1, layer -> asked.get(layer).rank()),
              ofLayers(1, layer -> shape.layers().get(layer).rank()));
        });
    settings
        .given(Keys.TOP_K)
        .ifPresent(spec -> {
          List<AdapterShape.Layer> asked = asked(mostExperts(), "1", spec, List.of()).layers();
          require(
              Keys.TOP_K,
              spec,
              ofLayers(2, layer -> asked.get(layer).topK()),
              ofLayers(2, layer -> shape.layers().get(layer).topK()));
        });
    settings
        .given(Keys.LORA_ALPHA)
        .ifPresent(alpha -> require(Keys.LORA_ALPHA, alpha.toString(), alpha, shape.alpha()));
  }

  private void require(Key<?> key, String given, Object asked, Object stored) {
    if (!asked.equals(stored)) {
      throw new UsageException(
          "%s %s contradicts the adapter %s, which has %s, alpha %s; leave it out to go on from that adapter, or leave out --adapter to start a new one"
              .formatted(
                  settings.place(key),
                  given,
                  adapter.path(),
                  ExpertAllocation.describe(shape, config),
                  shape.alpha()));
    }
  }

  private AdapterShape asked(String experts, String rank, String topK, List<String> targets) {
    return new ExpertAllocation(experts, rank, topK, 1, 0, targets).resolve(config);
  }

  /** N by projection of every layer, without those that have none. */
  private static List<Map<Projection, Integer>> experts(AdapterShape of) {
    return of.layers().stream()
        .map(layer ->
            layer.experts().entrySet().stream()
                .filter(entry -> entry.getValue() > 0)
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)))
        .toList();
  }

  /** The projections that have experts in some layer. */
  private List<String> targets() {
    return Arrays.stream(Projection.values())
        .filter(p -> shape.layers().stream().anyMatch(layer -> layer.experts(p) > 0))
        .map(Projection::shortName)
        .toList();
  }

  /** The largest N of every layer as a list that can be read back. */
  private String mostExperts() {
    return IntStream.range(0, shape.layers().size())
        .mapToObj(layer -> Integer.toString(Math.max(1, most(layer))))
        .collect(Collectors.joining(","));
  }

  private int most(int layer) {
    return shape.layers().get(layer).experts().values().stream()
        .mapToInt(Integer::intValue)
        .max()
        .orElse(0);
  }

  /** A number of every layer in which some projection has at least so many experts. */
  private List<Integer> ofLayers(int experts, java.util.function.IntUnaryOperator number) {
    return IntStream.range(0, shape.layers().size())
        .filter(layer -> most(layer) >= experts)
        .map(number)
        .boxed()
        .toList();
  }
}
