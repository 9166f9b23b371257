package io.mola.core.weights;

/** Canonical tensor names: those of Hugging Face Llama checkpoints. */
public final class WeightNames {
  /** Token embeddings [V, d]. */
  public static final String EMBEDDING = "model.embed_tokens.weight";

  /** Gain of the final norm [d]. */
  public static final String FINAL_NORM = "model.norm.weight";

  /** Output head [V, d]; absent where it is the embedding (tied). */
  public static final String HEAD = "lm_head.weight";

  /** Gain of the norm before attention [d], below a layer. */
  public static final String ATTENTION_NORM = "input_layernorm";

  /** Gain of the norm before the feed-forward part [d], below a layer. */
  public static final String FEED_FORWARD_NORM = "post_attention_layernorm";

  private WeightNames() {}

  /** {@code model.layers.{layer}.{part}.weight}, part for example {@code self_attn.q_proj}. */
  public static String inLayer(int layer, String part) {
    return "model.layers." + layer + "." + part + ".weight";
  }
}
