package io.mola.core.model;

/**
 * A ragged micro-batch: the tokens of all segments one after the other. Padding does not exist.
 *
 * @param tokens n token ids
 * @param positions [n] position of each token in its sequence
 * @param spans [n * 4] as {@link io.mola.core.backend.AttentionOps} says
 * @param rowWeights [n] how often a row counts in statistics (1, or more for shared prefixes)
 * @param labelledRows [m] rows whose next token is a target, ascending
 * @param targets [m] those next tokens
 * @param targetWeights [m] how often each target counts
 * @param firstRow tokens of the effective batch before this micro-batch (for dropout)
 * @param firstLabelled labelled rows of the effective batch before this micro-batch
 */
public record TokenBatch(
    int[] tokens,
    int[] positions,
    int[] spans,
    int[] rowWeights,
    int[] labelledRows,
    int[] targets,
    int[] targetWeights,
    long firstRow,
    long firstLabelled) {

  /** n. */
  public int size() {
    return tokens.length;
  }

  /** m. */
  public int labelled() {
    return labelledRows.length;
  }
}
