package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.ArrayList;
import java.util.List;

/** Lays examples one after the other into a ragged {@link TokenBatch}; nothing is padded. */
public final class BatchBuilder {
  private BatchBuilder() {}

  /**
   * One micro-batch of whole examples.
   *
   * @param examples at least one
   * @param firstRow tokens of the effective batch before this micro-batch
   * @param firstLabelled labelled rows of the effective batch before this micro-batch
   */
  public static TokenBatch of(List<Example> examples, long firstRow, long firstLabelled) {
    int n = tokens(examples);
    int m = examples.stream().mapToInt(Example::targets).sum();
    int[] tokens = new int[n];
    int[] positions = new int[n];
    int[] spans = new int[4 * n];
    int[] rowWeights = new int[n];
    int[] rows = new int[m];
    int[] targets = new int[m];
    int[] weights = new int[m];
    int start = 0;
    int label = 0;
    for (Example example : examples) {
      int end = start + example.length();
      for (int t = 0; t < example.length(); t++) {
        int row = start + t;
        tokens[row] = example.tokens()[t];
        positions[row] = t;
        spans[4 * row + 2] = start;
        spans[4 * row + 3] = end;
        rowWeights[row] = 1;
        if (t > 0 && example.labels()[t] != Example.IGNORE) {
          rows[label] = row - 1;
          targets[label] = example.labels()[t];
          weights[label] = 1;
          label++;
        }
      }
      start = end;
    }
    return new TokenBatch(
        tokens, positions, spans, rowWeights, rows, targets, weights, firstRow, firstLabelled);
  }

  /** Cuts an effective batch into micro-batches of {@code size} examples. */
  public static List<TokenBatch> microBatches(List<Example> batch, int size) {
    List<List<Example>> parts = new ArrayList<>();
    for (int i = 0; i < batch.size(); i += size) {
      parts.add(batch.subList(i, Math.min(batch.size(), i + size)));
    }
    return microBatches(parts);
  }

  /** The micro-batches of one effective batch. */
  public static List<TokenBatch> microBatches(List<List<Example>> parts) {
    List<TokenBatch> batches = new ArrayList<>();
    long firstRow = 0;
    long firstLabelled = 0;
    for (List<Example> part : parts) {
      TokenBatch batch = of(part, firstRow, firstLabelled);
      batches.add(batch);
      firstRow += batch.size();
      firstLabelled += batch.labelled();
    }
    return batches;
  }

  /** A batch of its own. */
  public static TokenBatch of(List<Example> examples) {
    return of(examples, 0, 0);
  }

  /** Number of tokens of the examples together. */
  static int tokens(List<Example> examples) {
    return examples.stream().mapToInt(Example::length).reduce(0, Math::addExact);
  }
}
