package io.mola.core.data;

/**
 * How examples are made.
 *
 * @param style of prompts
 * @param trainOnInputs whether prompts are targets too
 * @param cutoffLength longest example in tokens; 0: no limit
 * @param excess what happens to longer ones
 */
public record DataOptions(
    PromptStyle style, boolean trainOnInputs, int cutoffLength, ExcessLength excess) {
  /** Loss on the answers, no limit of length. */
  public static final DataOptions DEFAULT =
      new DataOptions(PromptStyle.AUTO, false, 0, ExcessLength.RAISE);
}
