package io.mola.core.model;

import java.util.stream.IntStream;

/**
 * A ragged micro-batch: the tokens of all segments one after the other. Padding does not exist.
 *
 * @param tokens n token ids
 * @param positions [n] position of each token in its sequence
 * @param spans [n * 4] as {@link io.mola.core.backend.AttentionOps} says
 * @param rowWeights [n] how many tokens of the examples a row stands for (1, or more where examples
 *     share a prefix), which is how often it counts in statistics
 * @param labelledRows [m] rows whose next token is a target, ascending
 * @param targets [m] those next tokens
 * @param targetWeights [m] how often each target counts
 * @param firstRow rows of the effective batch before this micro-batch (for dropout)
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

  /** Tokens of the examples: n, and more where rows are shared. */
  public long countedTokens() {
    return IntStream.of(rowWeights).asLongStream().sum();
  }

  /** Targets of the examples: m, and more where labelled rows are shared. */
  public long countedTargets() {
    return IntStream.of(targetWeights).asLongStream().sum();
  }
}
