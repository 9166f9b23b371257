package io.mola.core.data;

import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.ChatTemplate;
import io.mola.core.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.Optional;

/** Turns text into tokens and labels with the model's own tokenizer and templates. */
final class ExampleBuilder {
  private final Tokenizer tokenizer;
  private final Optional<ChatTemplate> template;
  private final DataOptions options;

  private int[] tokens = new int[256];
  private int[] labels = new int[256];
  private int length;

  ExampleBuilder(Tokenizer tokenizer, DataOptions options) {
    this.tokenizer = tokenizer;
    template = tokenizer.chatTemplate();
    this.options = options;
  }

  Tokenizer tokenizer() {
    return tokenizer;
  }

  /** The style that prompts are written in; never AUTO. */
  PromptStyle style() {
    if (options.style() != PromptStyle.AUTO) {
      return options.style();
    }
    return template.isPresent() ? PromptStyle.CHAT : PromptStyle.ALPACA;
  }

  /**
   * The chat template.
   *
   * @throws UsageException if the model has none
   */
  ChatTemplate template(String origin) {
    return template.orElseThrow(() ->
        new UsageException(
            origin + ": the model has no chat template; use --prompt-style alpaca or raw"));
  }

  /**
   * Tokens and labels of the pieces: the model's begin token in front if it wants one and the text
   * does not have it, an end token behind the last answer if nothing else ends it. What follows the
   * last target teaches nothing and is left out.
   */
  Example build(Turns turns, String origin) {
    length = 0;
    boolean ended = false;
    for (Turns.Piece piece : turns.pieces()) {
      int[] ids = encode(piece);
      switch (piece.kind()) {
        case PROMPT, TEMPLATE -> append(ids, 0, ids.length, options.trainOnInputs());
        case ANSWER -> {
          append(ids, 0, ids.length, true);
          ended = false;
        }
        case TURN_END -> {
          int learnt = endOfTurn(ids);
          append(ids, 0, learnt, true);
          append(ids, learnt, ids.length, options.trainOnInputs());
          ended = learnt > 0;
        }
      }
    }
    if (!ended) {
      leaveOutUnlearntEnd();
      if (tokenizer.eos() >= 0) {
        append(tokenizer.eos(), true);
      }
    }
    leaveOutUnlearntEnd();
    return new Example(Arrays.copyOf(tokens, length), Arrays.copyOf(labels, length), origin);
  }

  private int[] encode(Turns.Piece piece) {
    boolean specialTokens =
        switch (piece.kind()) {
          case TEMPLATE, TURN_END -> true;
          case PROMPT, ANSWER -> false;
        };
    if (length > 0) {
      return tokenizer.encodeContinuation(piece.text(), specialTokens);
    }
    int[] ids = tokenizer.encode(piece.text(), specialTokens);
    if (tokenizer.addsBos() && (ids.length == 0 || ids[0] != tokenizer.bos())) {
      append(tokenizer.bos(), false);
    }
    return ids;
  }

  /** How many of the ids reach up to the first stop token and with it; 0 if there is none. */
  private int endOfTurn(int[] ids) {
    for (int i = 0; i < ids.length; i++) {
      if (tokenizer.isStop(ids[i])) {
        return i + 1;
      }
    }
    return 0;
  }

  private void leaveOutUnlearntEnd() {
    while (length > 0 && labels[length - 1] == Example.IGNORE) {
      length--;
    }
  }

  private void append(int[] ids, int from, int to, boolean learnt) {
    for (int i = from; i < to; i++) {
      append(ids[i], learnt);
    }
  }

  private void append(int id, boolean learnt) {
    if (length == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * length);
      labels = Arrays.copyOf(labels, 2 * length);
    }
    tokens[length] = id;
    labels[length++] = learnt ? id : Example.IGNORE;
  }
}
