package io.mola.core.model;

/**
 * Sizes that the buffers of a {@link TrainingPass} are planned for.
 *
 * @param tokens largest number of rows of a micro-batch: its tokens, those that are shared once
 * @param labelled largest number of labelled rows of a micro-batch
 * @param positions largest position + 1
 * @param keptBlocks how many blocks keep their activations, 1 to the number of layers; the others
 *     share one set and run forward a second time in the backward pass
 * @param headRows rows of logits that exist at a time
 */
public record PassLimits(int tokens, int labelled, int positions, int keptBlocks, int headRows) {
  /** Checks the ranges. */
  public PassLimits {
    if (tokens < 1 || labelled < 1 || positions < 1 || keptBlocks < 1 || headRows < 1) {
      throw new IllegalArgumentException(
          "tokens "
              + tokens
              + ", labelled "
              + labelled
              + ", positions "
              + positions
              + ", kept blocks "
              + keptBlocks
              + ", head rows "
              + headRows);
    }
  }

  /** The same with another number of kept blocks. */
  public PassLimits withKeptBlocks(int blocks) {
    return new PassLimits(tokens, labelled, positions, blocks, headRows);
  }
}
