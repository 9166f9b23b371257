package io.mola.core.data;

import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.ChatMessage;
import io.mola.core.tokenizer.ChatTemplate;
import io.mola.core.tokenizer.Tokenizer;
import java.util.List;

/** Writes a question the way the examples of a fine-tuning were written. */
public final class Prompts {
  private Prompts() {}

  /**
   * Token ids of a prompt, up to where the answer begins.
   *
   * @throws UsageException if the style needs a chat template and the model has none
   */
  public static int[] encode(String text, Tokenizer tokenizer, PromptStyle style) {
    PromptStyle chosen = style;
    if (style == PromptStyle.AUTO) {
      chosen = tokenizer.chatTemplate().isPresent() ? PromptStyle.CHAT : PromptStyle.ALPACA;
    }
    int[] ids =
        switch (chosen) {
          case CHAT -> tokenizer.encode(chat(text, tokenizer), true);
          case ALPACA -> tokenizer.encode(AlpacaTemplate.prompt(text, ""), false);
          case RAW, AUTO -> tokenizer.encode(text, false);
        };
    boolean begins = ids.length > 0 && ids[0] == tokenizer.bos();
    if (!tokenizer.addsBos() || begins) {
      return ids;
    }
    int[] withBegin = new int[ids.length + 1];
    withBegin[0] = tokenizer.bos();
    System.arraycopy(ids, 0, withBegin, 1, ids.length);
    return withBegin;
  }

  private static String chat(String text, Tokenizer tokenizer) {
    ChatTemplate template =
        tokenizer
            .chatTemplate()
            .orElseThrow(() ->
                new UsageException(
                    "the model has no chat template; use --prompt-style alpaca or raw"));
    return template.render(List.of(new ChatMessage("user", text)), true);
  }
}
