package io.mola.core.tokenizer;

import java.util.Set;

/** Texts of control tokens that end a text or a turn in the models known. */
final class StopTokens {
  private static final Set<String> ENDS =
      Set.of(
          "</s>",
          "<|endoftext|>",
          "<|end_of_text|>",
          "<|im_end|>",
          "<|eot_id|>",
          "<|eom_id|>",
          "<|end|>",
          "<|eot|>",
          "<EOT>",
          "<end_of_turn>",
          "<eos>",
          "<|END_OF_TURN_TOKEN|>",
          "<\uff5cend\u2581of\u2581sentence\uff5c>");

  private StopTokens() {}

  /** Whether a control token of that text ends a text or a turn. */
  static boolean ends(String content) {
    return ENDS.contains(content);
  }
}
