package io.mola.gguf;

import io.mola.core.weights.TokenizerSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code tokenizer.ggml.*} metadata, checked but not interpreted. */
final class GgufVocabulary {
  private static final String PREFIX = "tokenizer.ggml.";

  private GgufVocabulary() {}

  static TokenizerSource read(GgufMetadata m, int rows) {
    if (!m.has(PREFIX + "model")) {
      return new TokenizerSource.None(m.path() + ": tokenizer.ggml.model is missing");
    }
    List<String> tokens = m.strings(PREFIX + "tokens");
    if (tokens == null) {
      throw m.fault("tokenizer.ggml.tokens is missing");
    }
    if (tokens.size() != rows) {
      throw m.fault(
          "token count %d and the %d rows of token_embd.weight differ"
              .formatted(tokens.size(), rows));
    }
    float @Nullable [] scores = m.floats(PREFIX + "scores");
    int @Nullable [] types = m.ints(PREFIX + "token_type");
    if (scores != null && scores.length != rows) {
      throw m.fault(
          "tokenizer.ggml.scores and tokens differ in length: " + scores.length + " and " + rows);
    }
    if (types != null && types.length != rows) {
      throw m.fault(
          "tokenizer.ggml.token_type and tokens differ in length: "
              + types.length
              + " and "
              + rows);
    }
    return new TokenizerSource.Vocabulary(
        m.path(),
        m.string(PREFIX + "model"),
        m.stringOrNull(PREFIX + "pre"),
        tokens,
        scores,
        types,
        m.strings(PREFIX + "merges"),
        m.token(PREFIX + "bos_token_id", rows),
        m.token(PREFIX + "eos_token_id", rows),
        m.token(PREFIX + "eot_token_id", rows),
        m.token(PREFIX + "unknown_token_id", rows),
        m.token(PREFIX + "padding_token_id", rows),
        m.boolOrNull(PREFIX + "add_bos_token"),
        m.boolOrNull(PREFIX + "add_eos_token"),
        m.boolOrNull(PREFIX + "add_space_prefix"),
        m.stringOrNull("tokenizer.chat_template"));
  }
}
