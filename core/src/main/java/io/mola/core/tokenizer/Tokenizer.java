package io.mola.core.tokenizer;

import java.util.Optional;

/** Text to token ids and back. */
public interface Tokenizer {
  /**
   * Ids of a text without any token put before or after it.
   *
   * @param specialTokens whether special tokens written in the text are recognised (rendered chat
   *     templates) or are ordinary text (users' data)
   */
  int[] encode(String text, boolean specialTokens);

  /**
   * Ids of a text that goes on after other text: as {@link #encode}, but SentencePiece's dummy
   * space is not put before its first word. An answer is encoded this way behind its prompt, so
   * that the ids are those a model produces when it goes on writing.
   */
  default int[] encodeContinuation(String text, boolean specialTokens) {
    return encode(text, specialTokens);
  }

  /**
   * Text of the ids; special tokens are left out unless asked for. Bytes that are not UTF-8 become
   * U+FFFD.
   */
  String decode(int[] ids, boolean specialTokens);

  /** The vocabulary entry of an id, for people. */
  String piece(int id);

  /** Number of ids. */
  int vocabularySize();

  /** Begin token, or -1. */
  int bos();

  /** End token, or -1: what {@code finetune} appends to an answer outside chat templates. */
  int eos();

  /** Whether the model wants {@link #bos} first. */
  boolean addsBos();

  /** Whether generation stops at the id: end of text, end of turn. */
  boolean isStop(int id);

  /** The model's own chat template, if it has one. */
  default Optional<ChatTemplate> chatTemplate() {
    return Optional.empty();
  }

  /** What an adapter folder remembers of this tokenizer; empty for one made in tests. */
  default Optional<TokenizerFingerprint> fingerprint() {
    return Optional.empty();
  }
}
