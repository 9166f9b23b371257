package io.mola.core.adapter;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads {@code adapter_config.json}: mola's own, PEFT's for LoRA, the authors' (a list under {@code
 * r}, no expert counts) and MoE-PEFT's (single numbers). Keys that do not matter are left alone;
 * those that would change the mathematics and are not supported are refused.
 */
final class AdapterConfigFile {
  static final String PEFT_TYPE = "peft_type";
  static final String ROUTING_STRATEGY = "routing_strategy";
  static final String NUM_EXPERTS = "num_experts";
  static final String TOP_K = "top_k";
  static final String LORA_R = "lora_r";
  static final String ALPHA = "lora_alpha";
  static final String DROPOUT = "lora_dropout";
  static final String BASE_MODEL = "base_model_name_or_path";
  static final String COEFFICIENT = "router_aux_loss_coef";
  static final String BALANCE_TYPE = "router_aux_loss_type";
  static final String FINGERPRINT = "base_fingerprint";
  static final String TOKENIZER = "tokenizer_sha256";
  static final String CHAT_TEMPLATE = "chat_template_sha256";
  static final String SHA256 = "adapter_sha256";

  /** Keys that change what an adapter computes, and the values that leave it unchanged. */
  private static final Map<String, List<String>> UNSUPPORTED =
      Map.of(
          "use_dora", List.of("false", "null"),
          "use_rslora", List.of("false", "null"),
          "use_qalora", List.of("false", "null"),
          "use_bdlora", List.of("false", "null"),
          "lora_bias", List.of("false", "null"),
          "fan_in_fan_out", List.of("false", "null"),
          "bias", List.of("\"none\"", "null"),
          "modules_to_save", List.of("null", "[]"),
          "alpha_pattern", List.of("null", "{}"),
          "layer_replication", List.of("null", "[]"));

  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .build();

  private final Path file;
  private final JsonNode root;

  private AdapterConfigFile(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads and checks what does not depend on tensors.
   *
   * @throws MalformedFileException if it is not JSON or asks for what is not supported
   */
  static AdapterConfigFile read(Path file) {
    JsonNode root;
    try {
      root = MAPPER.readTree(Files.readString(file));
    } catch (JacksonException e) {
      throw new MalformedFileException(
          file, "not valid JSON: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    }
    if (!root.isObject()) {
      throw new MalformedFileException(file, "must be a JSON object");
    }
    AdapterConfigFile config = new AdapterConfigFile(file, root);
    config.requireSupported();
    return config;
  }

  /** The config of a file that has none: everything is as the caller says. */
  static AdapterConfigFile absent(Path file) {
    return new AdapterConfigFile(file, MAPPER.createObjectNode());
  }

  private void requireSupported() {
    String type = text(PEFT_TYPE).orElse("LORA");
    if (!type.equals("LORA") && !type.equals("MOLA")) {
      throw fault("%s is %s; LORA and MOLA are read".formatted(PEFT_TYPE, type));
    }
    String routing = text(ROUTING_STRATEGY).orElse("mola");
    if (!routing.equals("mola")) {
      throw fault("%s is %s; only mola is read".formatted(ROUTING_STRATEGY, routing));
    }
    UNSUPPORTED.forEach((key, harmless) -> {
      JsonNode value = root.get(key);
      if (value != null && !harmless.contains(value.toString())) {
        throw fault("%s %s is not supported".formatted(key, value));
      }
    });
  }

  /** SHA-256 that the safetensors file must have, if it says. */
  Optional<String> sha256() {
    return text(SHA256);
  }

  /**
   * The shape that tensors and config agree on.
   *
   * @param found N and r of every layer, from the tensors
   * @param defaults for what the config does not say
   * @throws MalformedFileException if the config contradicts the tensors or itself
   */
  AdapterShape shape(List<AdapterShape.Layer> found, AdapterFolder.Defaults defaults) {
    double alpha = number(ALPHA).orElse(defaults.alpha());
    if (!(alpha > 0 && alpha <= Float.MAX_VALUE)) {
      throw fault(ALPHA + " " + alpha + " must be above 0");
    }
    double dropout = number(DROPOUT).orElse(0.0);
    if (!(dropout >= 0 && dropout < 1)) {
      throw fault(DROPOUT + " " + dropout + " must be at least 0 and below 1");
    }
    checkExperts(found);
    checkRanks(found);
    int @Nullable [] topK = perLayer(TOP_K, found.size());
    AdapterShape.Layer[] layers = new AdapterShape.Layer[found.size()];
    for (int l = 0; l < layers.length; l++) {
      AdapterShape.Layer layer = found.get(l);
      int most = layer.experts().values().stream().mapToInt(Integer::intValue).max().orElse(1);
      int k = topK == null ? Math.min(defaults.topK(), most) : topK[l];
      if (k < 1 || (k > most && most > 1)) {
        throw fault("%s: layer %d chooses %d of %d experts".formatted(TOP_K, l, k, most));
      }
      layers[l] = new AdapterShape.Layer(layer.experts(), layer.rank(), Math.min(k, most));
    }
    return new AdapterShape(List.of(layers), alpha, dropout);
  }

  private void checkExperts(List<AdapterShape.Layer> found) {
    JsonNode experts = root.get(NUM_EXPERTS);
    if (experts == null || experts.isNull()) {
      return;
    }
    if (experts.isArray() && experts.size() != found.size()) {
      throw wrongLength(NUM_EXPERTS, experts.size(), found.size());
    }
    for (int l = 0; l < found.size(); l++) {
      JsonNode entry = experts.isArray() ? experts.get(l) : experts;
      for (Projection projection : Projection.values()) {
        int n = found.get(l).experts(projection);
        int said =
            entry.isObject()
                ? entry.has(projection.shortName())
                    ? integer(NUM_EXPERTS, entry.get(projection.shortName()))
                    : 0
                : n == 0 ? 0 : integer(NUM_EXPERTS, entry);
        if (said != n) {
          throw fault(
              "%s says %d for %s of layer %d, but there are tensors of %d"
                  .formatted(NUM_EXPERTS, said, projection.shortName(), l, n));
        }
      }
    }
  }

  private void checkRanks(List<AdapterShape.Layer> found) {
    String key = root.has(LORA_R) ? LORA_R : "r";
    JsonNode pattern = root.get("rank_pattern");
    int @Nullable [] ranks = perLayer(key, found.size());
    if (ranks == null || (pattern != null && !pattern.isEmpty())) {
      return;
    }
    for (int l = 0; l < ranks.length; l++) {
      boolean adapted = found.get(l).experts().values().stream().anyMatch(n -> n > 0);
      if (adapted && ranks[l] != found.get(l).rank()) {
        throw fault(
            "%s says %d for layer %d, but its tensors have rank %d"
                .formatted(key, ranks[l], l, found.get(l).rank()));
      }
    }
  }

  /** What it says of the base and of training; a plain LoRA says it in the tensors' metadata. */
  AdapterProvenance provenance(Map<String, String> metadata) {
    boolean balanced = root.path("router_loss").asBoolean(false);
    return new AdapterProvenance(
        text(BASE_MODEL).orElse(null),
        text(FINGERPRINT).orElse(metadata.get(FINGERPRINT)),
        text(TOKENIZER).orElse(metadata.get(TOKENIZER)),
        text(CHAT_TEMPLATE).orElse(metadata.get(CHAT_TEMPLATE)),
        balanced ? balanceLoss() : BalanceLoss.NONE,
        balanced ? number(COEFFICIENT).orElse(0.0) : 0);
  }

  private BalanceLoss balanceLoss() {
    String name = text(BALANCE_TYPE).orElse("masked");
    return Arrays.stream(BalanceLoss.values())
        .filter(loss -> AdapterConfigWriter.balanceName(loss).equals(name))
        .findFirst()
        .orElseThrow(() -> fault(BALANCE_TYPE + " " + name + " is unknown"));
  }

  /** One number per layer from a number or a list; null if the key is absent. */
  private int @Nullable [] perLayer(String key, int layers) {
    JsonNode value = root.get(key);
    if (value == null || value.isNull()) {
      return null;
    }
    int[] numbers = new int[layers];
    if (!value.isArray()) {
      Arrays.fill(numbers, integer(key, value));
      return numbers;
    }
    if (value.size() != layers) {
      throw wrongLength(key, value.size(), layers);
    }
    for (int l = 0; l < layers; l++) {
      numbers[l] = integer(key, value.get(l));
    }
    return numbers;
  }

  private MalformedFileException wrongLength(String key, int entries, int layers) {
    return fault("%s has %d entries, but the model has %d layers".formatted(key, entries, layers));
  }

  private int integer(String key, JsonNode node) {
    if (!node.isIntegralNumber() || !node.canConvertToInt()) {
      throw fault("%s: %s is not a whole number".formatted(key, node));
    }
    return node.asInt();
  }

  private Optional<Double> number(String key) {
    JsonNode node = root.get(key);
    if (node == null || node.isNull()) {
      return Optional.empty();
    }
    if (!node.isNumber()) {
      throw fault("%s: %s is not a number".formatted(key, node));
    }
    return Optional.of(node.asDouble());
  }

  private Optional<String> text(String key) {
    JsonNode node = root.get(key);
    if (node == null || node.isNull()) {
      return Optional.empty();
    }
    if (!node.isString()) {
      throw fault("%s: %s is not a text".formatted(key, node));
    }
    return Optional.of(node.asString());
  }

  private MalformedFileException fault(String fault) {
    return new MalformedFileException(file, fault);
  }
}
