package io.mola.gguf;

import io.mola.core.weights.WeightNames;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Canonical names of the tensors of architecture llama. */
final class GgufNames {
  static final String ROPE_DIVISORS = "rope_freqs.weight";

  private static final Map<String, String> WHOLE =
      Map.of(
          "token_embd.weight", WeightNames.EMBEDDING,
          "output_norm.weight", WeightNames.FINAL_NORM,
          "output.weight", WeightNames.HEAD);

  private static final Map<String, String> IN_LAYER =
      Map.of(
          "attn_norm", WeightNames.ATTENTION_NORM,
          "ffn_norm", WeightNames.FEED_FORWARD_NORM,
          "attn_q", "self_attn.q_proj",
          "attn_k", "self_attn.k_proj",
          "attn_v", "self_attn.v_proj",
          "attn_output", "self_attn.o_proj",
          "ffn_gate", "mlp.gate_proj",
          "ffn_up", "mlp.up_proj",
          "ffn_down", "mlp.down_proj");

  private static final Pattern LAYER = Pattern.compile("blk\\.(\\d{1,6})\\.([a-z_]+)\\.weight");

  private GgufNames() {}

  /** The canonical name, or empty if architecture llama has no such tensor. */
  static Optional<String> canonical(String name) {
    String whole = WHOLE.get(name);
    if (whole != null) {
      return Optional.of(whole);
    }
    Matcher matcher = LAYER.matcher(name);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String part = IN_LAYER.get(matcher.group(2));
    return part == null
        ? Optional.empty()
        : Optional.of(WeightNames.inLayer(Integer.parseInt(matcher.group(1)), part));
  }

  /** The GGUF name of a canonical name of a model of that architecture. */
  static String ggufName(String canonical) {
    for (Map.Entry<String, String> entry : WHOLE.entrySet()) {
      if (entry.getValue().equals(canonical)) {
        return entry.getKey();
      }
    }
    for (Map.Entry<String, String> entry : IN_LAYER.entrySet()) {
      String suffix = "." + entry.getValue() + ".weight";
      if (canonical.endsWith(suffix)) {
        String layer =
            canonical.substring("model.layers.".length(), canonical.length() - suffix.length());
        return "blk." + layer + "." + entry.getKey() + ".weight";
      }
    }
    throw new IllegalArgumentException("no GGUF name for " + canonical);
  }

  /** Whether the rows of the matrix are stored with rotary pairs as neighbours. */
  static boolean hasPairedRows(String canonical) {
    return canonical.endsWith("self_attn.q_proj.weight")
        || canonical.endsWith("self_attn.k_proj.weight");
  }
}
