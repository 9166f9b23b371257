package io.mola.core.data;

import java.util.List;

/**
 * A text in pieces, some of which are to be learnt.
 *
 * <p>Pieces are tokenised one by one, each as the continuation of those before it. So the border
 * between what is given and what is learnt falls between two tokens, and the tokens of the prompt
 * are those that the model sees when it is asked: a tokenizer given both at once may join the last
 * character of the prompt with the first of the answer.
 *
 * @param pieces in order
 */
record Turns(List<Piece> pieces) {
  /** Copies the list. */
  Turns {
    pieces = List.copyOf(pieces);
  }

  /** What a piece is, which says what is learnt and whether special tokens are recognised in it. */
  enum Kind {
    /** A prompt in plain text. */
    PROMPT,
    /** Given text that a chat template wrote; its special tokens are special. */
    TEMPLATE,
    /** An answer, learnt; its text is data, so special tokens in it are ordinary text. */
    ANSWER,
    /**
     * What a chat template wrote behind an answer: learnt up to the end-of-turn token, which is the
     * last thing a model says; given from there on.
     */
    TURN_END
  }

  /** One piece. */
  record Piece(Kind kind, String text) {}
}
