package io.mola.core.weights;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the {@code config.json} of a Hugging Face checkpoint, in the layout before transformers 5
 * ({@code rope_theta}, {@code rope_scaling}, {@code torch_dtype}) and the one since ({@code
 * rope_parameters}, {@code dtype}).
 */
public final class ConfigJson {
  private static final List<String> FAMILIES = List.of("llama", "mistral");
  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .build();

  private final Path file;
  private final JsonNode root;

  private ConfigJson(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Hyper-parameters of the model.
   *
   * @throws MalformedFileException if the file is not one, or says something mola does not support
   */
  public static ModelConfig read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new UsageException(file + ": no such file");
    }
    JsonNode root;
    try {
      root = MAPPER.readTree(file.toFile());
    } catch (JacksonException e) {
      throw new MalformedFileException(file, "not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!root.isObject()) {
      throw new MalformedFileException(file, "must be a JSON object");
    }
    return new ConfigJson(file, root).config();
  }

  private ModelConfig config() {
    String family = family();
    refuseUnsupported();
    int hidden = positive("hidden_size");
    int heads = positive("num_attention_heads");
    int headDim = present("head_dim") ? positive("head_dim") : divided(hidden, heads);
    int kvHeads = present("num_key_value_heads") ? positive("num_key_value_heads") : heads;
    if (heads % kvHeads != 0 || headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
      throw fault(
          "%d attention heads, %d key-value heads and head_dim %d do not fit"
              .formatted(heads, kvHeads, headDim));
    }
    return new ModelConfig(
        family,
        hidden,
        positive("intermediate_size"),
        positive("num_hidden_layers"),
        heads,
        kvHeads,
        headDim,
        positive("vocab_size"),
        present("rms_norm_eps") ? number(root, "rms_norm_eps") : 1e-6,
        rope(),
        present("max_position_embeddings") ? positive("max_position_embeddings") : 2048,
        family.equals("mistral") && present("sliding_window") ? positive("sliding_window") : 0,
        flag("tie_word_embeddings"),
        weightType());
  }

  private String family() {
    String type = text(root, "model_type", "");
    if (type.isEmpty()) {
      throw fault("model_type is missing");
    }
    if (!FAMILIES.contains(type)) {
      throw fault(
          "model type " + type + " is not supported; supported: " + String.join(", ", FAMILIES));
    }
    return type;
  }

  private void refuseUnsupported() {
    for (String key : List.of("attention_bias", "mlp_bias")) {
      if (flag(key)) {
        throw fault(key + " true is not supported");
      }
    }
    for (String key : List.of("quantization_config", "quantization")) {
      if (present(key)) {
        throw fault(
            key + ": quantised checkpoints are not supported; use F32, F16, BF16, or a GGUF file");
      }
    }
    String activation = text(root, "hidden_act", "silu");
    if (!activation.equals("silu")) {
      throw fault("hidden_act " + activation + " is not supported; only silu");
    }
  }

  private Rope rope() {
    JsonNode parameters = root.get("rope_parameters");
    JsonNode scaling = root.get("rope_scaling");
    if (parameters != null && parameters.isObject()) {
      double base = parameters.has("rope_theta") ? number(parameters, "rope_theta") : 10_000;
      return new Rope(base, scaling(parameters));
    }
    double base = present("rope_theta") ? number(root, "rope_theta") : 10_000;
    return new Rope(
        base, scaling != null && scaling.isObject() ? scaling(scaling) : new Rope.Plain());
  }

  private Rope.Scaling scaling(JsonNode node) {
    String name = text(node, node.has("rope_type") ? "rope_type" : "type", "default");
    return switch (name) {
      case "default" -> new Rope.Plain();
      case "linear" -> new Rope.Linear(number(node, "factor"));
      case "llama3" ->
          new Rope.Llama3(
              number(node, "factor"),
              number(node, "low_freq_factor"),
              number(node, "high_freq_factor"),
              number(node, "original_max_position_embeddings"));
      default ->
          throw fault(
              "rope scaling " + name + " is not supported; supported: default, linear, llama3");
    };
  }

  private QuantType weightType() {
    String name = text(root, root.has("dtype") ? "dtype" : "torch_dtype", "float32");
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "bfloat16" -> QuantType.BF16;
      case "float16" -> QuantType.F16;
      default -> QuantType.F32;
    };
  }

  private boolean present(String key) {
    JsonNode value = root.get(key);
    return value != null && !value.isNull();
  }

  private boolean flag(String key) {
    if (!present(key)) {
      return false;
    }
    JsonNode value = root.get(key);
    if (!value.isBoolean()) {
      throw fault(key + " must be true or false, but is " + value);
    }
    return value.booleanValue();
  }

  private String text(JsonNode node, String key, String absent) {
    JsonNode value = node.get(key);
    if (value == null || value.isNull()) {
      return absent;
    }
    if (!value.isString()) {
      throw fault(key + " must be a string, but is " + value);
    }
    return value.stringValue();
  }

  private int divided(int hidden, int heads) {
    if (hidden % heads != 0) {
      throw fault("hidden_size " + hidden + " is not a multiple of num_attention_heads " + heads);
    }
    return hidden / heads;
  }

  private int positive(String key) {
    JsonNode value = root.get(key);
    if (value == null) {
      throw fault(key + " is missing");
    }
    if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < 1) {
      throw fault(key + " must be a whole number of at least 1, but is " + value);
    }
    return value.asInt();
  }

  private double number(JsonNode node, String key) {
    JsonNode value = node.get(key);
    if (value == null) {
      throw fault(key + " is missing");
    }
    double number = real(value);
    if (!(number > 0) || Double.isInfinite(number)) {
      throw fault(key + " must be a positive number, but is " + value);
    }
    return number;
  }

  private static double real(JsonNode value) {
    if (value.isIntegralNumber()) {
      return value.bigIntegerValue().doubleValue(); // infinite where a long would overflow
    }
    return value.isNumber() ? value.doubleValue() : Double.NaN;
  }

  private MalformedFileException fault(String what) {
    return new MalformedFileException(file, what);
  }
}
