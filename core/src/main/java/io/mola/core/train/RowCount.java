package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.List;

/**
 * Rows that examples take in the buffers when they run together.
 *
 * @param tokens rows
 * @param labelled rows with a label
 */
record RowCount(int tokens, int labelled) {

  /** Of a micro-batch. */
  static RowCount of(List<Example> examples, Prefixes prefixes) {
    if (prefixes == Prefixes.REPEATED || examples.size() == 1) {
      return new RowCount(
          BatchBuilder.tokens(examples), examples.stream().mapToInt(Example::targets).sum());
    }
    TokenBatch batch = BatchBuilder.of(examples, prefixes);
    return new RowCount(batch.size(), batch.labelled());
  }

  /** The larger of both numbers. */
  RowCount max(RowCount other) {
    return new RowCount(Math.max(tokens, other.tokens), Math.max(labelled, other.labelled));
  }

  /** Whether buffers of this size hold it. */
  boolean holds(RowCount other) {
    return other.tokens <= tokens && other.labelled <= labelled;
  }
}
