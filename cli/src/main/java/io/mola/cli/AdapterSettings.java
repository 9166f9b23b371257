package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.failure.UsageException;
import io.mola.core.weights.ModelConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The adapter that the settings describe. */
final class AdapterSettings {
  /** Its keys. */
  static final List<Key<?>> KEYS =
      List.of(
          Keys.NUM_EXPERTS,
          Keys.TOP_K,
          Keys.LORA_R,
          Keys.LORA_ALPHA,
          Keys.LORA_DROPOUT,
          Keys.LORA_TARGET_MODULES,
          Keys.ROUTER_LOSS,
          Keys.ROUTER_AUX_LOSS_COEF,
          Keys.ROUTER_AUX_LOSS_TYPE);

  private AdapterSettings() {}

  /** Experts, ranks and top-k of every layer of the model. */
  static AdapterShape shape(Settings settings, ModelConfig config) {
    List<String> targets =
        settings.find(Keys.LORA_TARGET_MODULES).map(AdapterSettings::names).orElse(List.of());
    if (targets.isEmpty() && settings.given(Keys.LORA_TARGET_MODULES).isPresent()) {
      throw new UsageException(
          settings.place(Keys.LORA_TARGET_MODULES)
              + ": names no projection; name some, or all-linear");
    }
    return new ExpertAllocation(
            settings.get(Keys.NUM_EXPERTS),
            settings.get(Keys.LORA_R),
            settings.get(Keys.TOP_K),
            settings.get(Keys.LORA_ALPHA),
            settings.get(Keys.LORA_DROPOUT),
            targets)
        .resolve(config);
  }

  /** Names separated by commas or blanks. */
  static List<String> names(String text) {
    return Arrays.stream(text.split("[,\\s]+")).filter(name -> !name.isEmpty()).toList();
  }

  /** The form of the balance loss; by itself per projection only where the numbers differ. */
  static BalanceLoss balanceLoss(Settings settings, AdapterShape shape) {
    if (!settings.get(Keys.ROUTER_LOSS) || settings.get(Keys.ROUTER_AUX_LOSS_COEF) == 0) {
      return BalanceLoss.NONE;
    }
    boolean uniform = shape.layers().stream().allMatch(AdapterShape.Layer::isUniform);
    String type = settings.get(Keys.ROUTER_AUX_LOSS_TYPE);
    BalanceLoss loss =
        type.equals("auto")
            ? (uniform ? BalanceLoss.MASKED : BalanceLoss.MASKED_PER_MODULE)
            : BalanceLoss.valueOf(type.replace('-', '_').toUpperCase(Locale.ROOT));
    if (!uniform && loss != BalanceLoss.MASKED_PER_MODULE) {
      throw new UsageException(
          settings.place(Keys.ROUTER_AUX_LOSS_TYPE)
              + ": "
              + type
              + " needs the same number of experts on all projections of a layer; use"
              + " masked-per-module");
    }
    return loss;
  }

  /**
   * N per layer for programs: one list where all projections agree, otherwise a list for each
   * projection.
   */
  static Object numExperts(AdapterShape shape) {
    Map<String, List<Integer>> lists = new LinkedHashMap<>();
    for (io.mola.core.model.Projection projection : io.mola.core.model.Projection.values()) {
      List<Integer> counts =
          shape.layers().stream().map(layer -> layer.experts(projection)).toList();
      if (counts.stream().anyMatch(n -> n > 0)) {
        lists.put(projection.shortName(), counts);
      }
    }
    List<List<Integer>> distinct = lists.values().stream().distinct().toList();
    return distinct.size() == 1 ? distinct.getFirst() : lists;
  }

  /** r per layer. */
  static List<Integer> ranks(AdapterShape shape) {
    return shape.layers().stream().map(AdapterShape.Layer::rank).collect(Collectors.toList());
  }

  /** K per layer. */
  static List<Integer> topK(AdapterShape shape) {
    return shape.layers().stream().map(AdapterShape.Layer::topK).collect(Collectors.toList());
  }
}
