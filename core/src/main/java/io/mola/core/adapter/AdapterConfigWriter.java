package io.mola.core.adapter;

import io.mola.core.model.Projection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes {@code adapter_config.json}: PEFT's keys, and for mixtures the keys of {@link
 * AdapterConfigFile} beside them. A plain LoRA holds PEFT's keys alone, because some versions of
 * PEFT refuse others; what else is known of it goes into the metadata of the safetensors file.
 */
final class AdapterConfigWriter {
  private static final JsonMapper MAPPER =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final AdapterShape shape;
  private final AdapterProvenance provenance;
  private final ObjectNode root = MAPPER.createObjectNode();

  AdapterConfigWriter(AdapterShape shape, AdapterProvenance provenance) {
    this.shape = shape;
    this.provenance = provenance;
  }

  /** Whether no projection has more than one expert. */
  static boolean isPlainLora(AdapterShape shape) {
    return shape.layers().stream()
        .allMatch(l -> l.experts().values().stream().allMatch(n -> n < 2));
  }

  /** The file of a plain LoRA. */
  String plainLora() {
    common("LORA");
    root.put("fan_in_fan_out", false).put("inference_mode", true).put("init_lora_weights", true);
    root.put("use_dora", false).put("use_rslora", false);
    int[] ranks = adaptedRanks();
    int most = Arrays.stream(ranks).max().orElseThrow();
    root.put("r", most);
    ObjectNode pattern = root.putObject("rank_pattern");
    for (int layer = 0; layer < shape.layers().size(); layer++) {
      AdapterShape.Layer numbers = shape.layers().get(layer);
      if (numbers.rank() != most) {
        for (Projection projection : adapted(numbers)) {
          pattern.put("layers." + layer + "." + projection.path(), numbers.rank());
        }
      }
    }
    root.putObject("alpha_pattern");
    return text();
  }

  /**
   * The file of a mixture.
   *
   * @param sha256 of the safetensors file
   */
  String mixture(String sha256) {
    common("MOLA");
    root.put(AdapterConfigFile.ROUTING_STRATEGY, "mola");
    ArrayNode experts = root.putArray(AdapterConfigFile.NUM_EXPERTS);
    ArrayNode topK = root.putArray(AdapterConfigFile.TOP_K);
    ArrayNode ranks = root.putArray(AdapterConfigFile.LORA_R);
    for (AdapterShape.Layer layer : shape.layers()) {
      addExperts(layer, experts);
      topK.add(layer.topK());
      ranks.add(layer.rank());
    }
    int[] distinct = Arrays.stream(adaptedRanks()).distinct().toArray();
    if (distinct.length == 1) {
      root.put("r", distinct[0]);
    } else {
      root.set("r", ranks.deepCopy());
    }
    boolean balanced = provenance.balanceLoss() != BalanceLoss.NONE;
    root.put("router_loss", balanced);
    if (balanced) {
      root.put(AdapterConfigFile.COEFFICIENT, provenance.balanceCoefficient());
      root.put(AdapterConfigFile.BALANCE_TYPE, balanceName(provenance.balanceLoss()));
    }
    provenanceKeys(provenance).forEach(root::put);
    root.put(AdapterConfigFile.SHA256, sha256);
    return text();
  }

  /** Keys of a plain LoRA that its config has no room for. */
  static Map<String, String> provenanceKeys(AdapterProvenance provenance) {
    Map<String, String> keys = new LinkedHashMap<>();
    put(keys, AdapterConfigFile.FINGERPRINT, provenance.baseFingerprint());
    put(keys, AdapterConfigFile.TOKENIZER, provenance.tokenizerHash());
    put(keys, AdapterConfigFile.CHAT_TEMPLATE, provenance.chatTemplateHash());
    put(
        keys,
        "mola_version",
        AdapterConfigWriter.class.getModule().getDescriptor() == null
            ? null
            : AdapterConfigWriter.class.getModule().getDescriptor().rawVersion().orElse(null));
    return keys;
  }

  private static void put(Map<String, String> keys, String key, @Nullable String value) {
    if (value != null) {
      keys.put(key, value);
    }
  }

  static String balanceName(BalanceLoss loss) {
    return loss.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private void common(String type) {
    root.put(AdapterConfigFile.PEFT_TYPE, type).put("task_type", "CAUSAL_LM");
    root.put(AdapterConfigFile.BASE_MODEL, provenance.baseModel());
    if (shape.alpha() == Math.rint(shape.alpha()) && shape.alpha() < Long.MAX_VALUE) {
      root.put(AdapterConfigFile.ALPHA, (long) shape.alpha());
    } else {
      root.put(AdapterConfigFile.ALPHA, shape.alpha());
    }
    root.put(AdapterConfigFile.DROPOUT, shape.dropout()).put("bias", "none");
    ArrayNode targets = root.putArray("target_modules");
    targetModules().forEach(targets::add);
  }

  /**
   * Short names where all layers adapt the same projections; otherwise names that say the layer.
   */
  private List<String> targetModules() {
    List<Projection> first = adapted(shape.layers().getFirst());
    if (shape.layers().stream().allMatch(layer -> adapted(layer).equals(first))) {
      return first.stream().map(Projection::shortName).toList();
    }
    List<String> names = new ArrayList<>();
    for (int layer = 0; layer < shape.layers().size(); layer++) {
      for (Projection projection : adapted(shape.layers().get(layer))) {
        names.add("layers." + layer + "." + projection.path());
      }
    }
    return names;
  }

  private static void addExperts(AdapterShape.Layer layer, ArrayNode to) {
    if (layer.isUniform() && adapted(layer).size() == Projection.values().length) {
      to.add(layer.experts(Projection.Q));
      return;
    }
    ObjectNode byProjection = to.addObject();
    adapted(layer).forEach(p -> byProjection.put(p.shortName(), layer.experts(p)));
  }

  private int[] adaptedRanks() {
    return shape.layers().stream()
        .filter(layer -> !adapted(layer).isEmpty())
        .mapToInt(AdapterShape.Layer::rank)
        .toArray();
  }

  private static List<Projection> adapted(AdapterShape.Layer layer) {
    return Stream.of(Projection.values()).filter(p -> layer.experts(p) > 0).toList();
  }

  private String text() {
    return MAPPER.writeValueAsString(root) + "\n";
  }
}
