package io.mola.core.data;

/** How an instruction becomes the text of a prompt. */
public enum PromptStyle {
  /** {@link #CHAT} if the model has a chat template, otherwise {@link #ALPACA}. */
  AUTO,
  /** The model's own chat template. */
  CHAT,
  /** The Alpaca template. */
  ALPACA,
  /** The text as it is. */
  RAW
}
