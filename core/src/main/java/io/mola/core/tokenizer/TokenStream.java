package io.mola.core.tokenizer;

import java.util.Arrays;

/**
 * Text of ids that arrive one by one.
 *
 * <p>A token is not a piece of text: it may hold part of a character, and whether a SentencePiece
 * word is preceded by a space depends on what stands before it. So the last tokens are decoded
 * together with the new one, and what is longer than before is the new text; while it ends in
 * U+FFFD a character may still be incomplete and is held back until it is whole or {@link #finish}
 * is called.
 */
public final class TokenStream {
  private static final char REPLACEMENT = '\uFFFD';
  private static final int CONTEXT = 4;

  private final Tokenizer tokenizer;
  private final boolean specialTokens;
  private int[] window;
  private int size;
  private int told;
  private String toldText;

  /**
   * A stream that goes on after those ids.
   *
   * @param context ids before the first one that will arrive, the prompt; may be empty
   * @param specialTokens whether special tokens are shown
   */
  public TokenStream(Tokenizer tokenizer, int[] context, boolean specialTokens) {
    this.tokenizer = tokenizer;
    this.specialTokens = specialTokens;
    window = Arrays.copyOfRange(context, Math.max(0, context.length - CONTEXT), context.length);
    size = window.length;
    told = size;
    toldText = decode();
  }

  /** The text that has become certain with this id; may be empty. */
  public String next(int id) {
    if (size == window.length) {
      window = Arrays.copyOf(window, Math.max(2 * CONTEXT, 2 * size));
    }
    window[size++] = id;
    String text = decode();
    if (text.length() <= toldText.length() || text.charAt(text.length() - 1) == REPLACEMENT) {
      return "";
    }
    return tell(text);
  }

  /** What was held back: an incomplete character, as U+FFFD. */
  public String finish() {
    String text = decode();
    return text.length() <= toldText.length() ? "" : tell(text);
  }

  private String tell(String text) {
    String news = text.substring(toldText.length());
    // Keep only the tokens told now as the context of the next ones.
    System.arraycopy(window, told, window, 0, size - told);
    size -= told;
    told = size;
    toldText = decode();
    return news;
  }

  private String decode() {
    return tokenizer.decode(Arrays.copyOf(window, size), specialTokens);
  }
}
