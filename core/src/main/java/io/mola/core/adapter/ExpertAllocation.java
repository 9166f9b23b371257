package io.mola.core.adapter;

import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The allocation of experts as a user writes it, before the model is known.
 *
 * <table>
 * <caption>Forms of {@code num_experts}</caption>
 * <tr><td>{@code inverted-triangle}</td><td>a shape of the paper: 2468; {@code triangle} 8642,
 *     {@code hourglass} 8228, {@code diamond} 2882, {@code rectangle} or {@code square} 5555. A
 *     model of fewer than four layers takes, for each layer, the number at the middle of its share:
 *     2 layers get 4, 8.</td></tr>
 * <tr><td>{@code 2468}, {@code 5}</td><td>one digit per group of layers, lowest first; as many
 *     groups as digits, larger groups first (30 layers: 8, 8, 7, 7)</td></tr>
 * <tr><td>{@code 10-2-2-2}</td><td>the same with numbers above nine</td></tr>
 * <tr><td>{@code 2x8,4x8}</td><td>2 for eight layers, then 4 for eight</td></tr>
 * <tr><td>{@code 2,2,4,4}</td><td>one number per layer</td></tr>
 * <tr><td>{@code q_proj=2468;down_proj=4}</td><td>any of the above for each projection; those not
 *     named have no adapter</td></tr>
 * </table>
 *
 * @param numExperts N
 * @param rank r: one number, a list or runs
 * @param topK K: likewise; a layer with N = 1 has K = 1
 * @param alpha numerator of the scale alpha / r
 * @param dropout probability on the experts' input
 * @param targetModules short names of projections, or {@code all-linear}; empty: those that {@code
 *     numExperts} names, or all seven
 */
public record ExpertAllocation(
    String numExperts,
    String rank,
    String topK,
    double alpha,
    double dropout,
    List<String> targetModules) {

  /** The paper's inverted triangle with r = 8, K = 2, alpha 16, dropout 0.05 on all projections. */
  public static final ExpertAllocation DEFAULT =
      new ExpertAllocation("inverted-triangle", "8", "2", 16, 0.05, List.of());

  private static final String ALL_LINEAR = "all-linear";

  /** Copies the list and checks what does not depend on a model. */
  public ExpertAllocation {
    targetModules = List.copyOf(targetModules);
    if (!(alpha > 0 && alpha <= Float.MAX_VALUE)) {
      throw new UsageException("lora_alpha " + alpha + ": must be above 0");
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new UsageException("lora_dropout " + dropout + ": must be at least 0 and below 1");
    }
  }

  /**
   * The textual form of a YAML or JSON value: a scalar as it is, a list joined by commas, a map of
   * projections as {@code name=spec} joined by semicolons.
   *
   * @throws UsageException for anything else
   */
  public static String text(String key, @Nullable Object value) {
    return switch (value) {
      case String s -> s;
      case Integer i -> i.toString();
      case Long l -> l.toString();
      case List<?> list ->
          list.stream().map(item -> text(key, item)).collect(Collectors.joining(","));
      case Map<?, ?> map ->
          map.entrySet().stream()
              .map(entry -> entry.getKey() + "=" + text(key, entry.getValue()))
              .collect(Collectors.joining(";"));
      case null, default ->
          throw new UsageException(
              key + ": " + value + " is neither a whole number, a text, a list nor a map");
    };
  }

  /**
   * One entry per layer of the model.
   *
   * @throws UsageException naming the setting, the layer and the numbers that do not fit
   */
  public AdapterShape resolve(ModelConfig config) {
    int layers = config.layers();
    Map<Projection, int[]> experts = experts(layers);
    int[] ranks = atLeastOne("lora_r", new LayerNumbers("lora_r", layers).perLayer(rank), "rank");
    int[] topKs = atLeastOne("top_k", new LayerNumbers("top_k", layers).perLayer(topK), "top-k");
    List<AdapterShape.Layer> resolved = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      Map<Projection, Integer> counts = new EnumMap<>(Projection.class);
      for (Map.Entry<Projection, int[]> entry : experts.entrySet()) {
        counts.put(entry.getKey(), entry.getValue()[layer]);
      }
      int most = counts.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
      if (most > 1 && topKs[layer] > most) {
        throw new UsageException(
            "top_k: layer %d chooses %d of %d experts; lower top_k or raise num_experts there"
                .formatted(layer, topKs[layer], most));
      }
      resolved.add(new AdapterShape.Layer(counts, ranks[layer], Math.min(most, topKs[layer])));
    }
    return new AdapterShape(resolved, alpha, dropout);
  }

  /**
   * What was allocated, for people: {@code experts 2x8,4x8,6x7,8x7 (150 per projection), rank 8,
   * top-2, 6,635,520 trainable parameters}.
   */
  public static String describe(AdapterShape shape, ModelConfig config) {
    Map<String, List<String>> byCounts = new LinkedHashMap<>();
    for (Projection projection : Projection.values()) {
      int[] counts = perLayer(shape, layer -> layer.experts(projection));
      if (Arrays.stream(counts).anyMatch(n -> n > 0)) {
        String text = LayerNumbers.format(counts) + " (sum " + Arrays.stream(counts).sum() + ")";
        byCounts.computeIfAbsent(text, t -> new ArrayList<>()).add(projection.shortName());
      }
    }
    String experts =
        byCounts.entrySet().stream()
            .map(e ->
                e.getValue().size() == Projection.values().length
                    ? e.getKey()
                    : String.join(", ", e.getValue()) + ": " + e.getKey())
            .collect(Collectors.joining("; "));
    return String.format(
        Locale.ROOT,
        "experts %s, rank %s, top-k %s, %,d trainable parameters",
        experts,
        ofAllOrEach(perLayer(shape, AdapterShape.Layer::rank)),
        ofAllOrEach(perLayer(shape, AdapterShape.Layer::topK)),
        shape.parameters(config));
  }

  private Map<Projection, int[]> experts(int layers) {
    Map<Projection, int[]> experts = new EnumMap<>(Projection.class);
    if (numExperts.indexOf('=') < 0) {
      int[] counts = new LayerNumbers("num_experts", layers).perLayerOrGroup(numExperts);
      atLeastOne("num_experts", counts, "expert count");
      targets().forEach(projection -> experts.put(projection, counts));
      return experts;
    }
    for (String part : numExperts.split(";", -1)) {
      int equals = part.indexOf('=');
      if (equals < 0) {
        throw new UsageException(
            "num_experts: '%s' in '%s' names no projection; write q_proj=2468;down_proj=4"
                .formatted(part, numExperts));
      }
      Projection projection = projection("num_experts", part.substring(0, equals).strip());
      String key = "num_experts of " + projection.shortName();
      int[] counts = new LayerNumbers(key, layers).perLayerOrGroup(part.substring(equals + 1));
      if (experts.put(projection, atLeastOne(key, counts, "expert count")) != null) {
        throw new UsageException(
            "num_experts: %s is given twice in '%s'".formatted(projection.shortName(), numExperts));
      }
    }
    if (!targetModules.isEmpty() && !experts.keySet().equals(new HashSet<>(targets()))) {
      throw new UsageException(
          "num_experts names %s, but lora_target_modules %s; leave one of them out"
              .formatted(names(experts.keySet()), names(targets())));
    }
    return experts;
  }

  private List<Projection> targets() {
    if (targetModules.isEmpty() || targetModules.equals(List.of(ALL_LINEAR))) {
      return List.of(Projection.values());
    }
    return targetModules.stream()
        .map(name -> projection("lora_target_modules", name))
        .sorted()
        .distinct()
        .toList();
  }

  private static Projection projection(String key, String name) {
    return Arrays.stream(Projection.values())
        .filter(p -> p.shortName().equals(name) || p.path().equals(name))
        .findFirst()
        .orElseThrow(() ->
            new UsageException(
                "%s: no projection '%s'; there are %s%s"
                    .formatted(
                        key,
                        name,
                        names(List.of(Projection.values())),
                        key.equals("lora_target_modules") ? " and " + ALL_LINEAR : "")));
  }

  private static String names(Iterable<Projection> projections) {
    List<String> names = new ArrayList<>();
    projections.forEach(projection -> names.add(projection.shortName()));
    return String.join(", ", names);
  }

  private static int[] atLeastOne(String key, int[] numbers, String what) {
    for (int layer = 0; layer < numbers.length; layer++) {
      if (numbers[layer] < 1) {
        throw new UsageException(
            "%s: %s %d in layer %d; must be at least 1"
                .formatted(key, what, numbers[layer], layer));
      }
    }
    return numbers;
  }

  private static int[] perLayer(AdapterShape shape, ToIntFunction<AdapterShape.Layer> number) {
    return shape.layers().stream().mapToInt(number).toArray();
  }

  private static String ofAllOrEach(int[] numbers) {
    return Arrays.stream(numbers).distinct().count() == 1
        ? "" + numbers[0]
        : LayerNumbers.format(numbers);
  }
}
