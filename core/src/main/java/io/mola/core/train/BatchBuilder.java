package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Lays examples one after the other into a ragged {@link TokenBatch}; nothing is padded. Examples
 * that share a prefix follow it: a tree of depth one for each {@link PrefixGroup}.
 */
public final class BatchBuilder {
  private static final int SPAN = 4;

  private final int[] tokens;
  private final int[] positions;
  private final int[] spans;
  private final int[] rowWeights;
  private final int[] labelledRows;
  private final int[] targets;
  private final int[] targetWeights;
  private int row;
  private int label;

  private BatchBuilder(List<PrefixGroup> groups) {
    int n = groups.stream().mapToInt(PrefixGroup::rows).reduce(0, Math::addExact);
    tokens = new int[n];
    positions = new int[n];
    spans = new int[SPAN * n];
    rowWeights = new int[n];
    labelledRows = new int[n];
    targets = new int[n];
    targetWeights = new int[n];
    groups.forEach(this::add);
  }

  private void add(PrefixGroup group) {
    int prefixStart = row;
    int prefixEnd = row + group.length();
    int[] prefix = {0, 0, prefixStart, prefixStart + group.rows()};
    add(group.examples().getFirst(), 0, group.length(), prefix, group.examples().size());
    for (Example example : group.examples()) {
      int end = row + example.length() - group.length();
      int[] span =
          group.length() == 0
              ? new int[] {0, 0, row, end}
              : new int[] {prefixStart, prefixEnd, row, end};
      add(example, group.length(), example.length(), span, 1);
    }
  }

  /** Rows from .. to - 1 of an example, which see and are seen as {@code span} says. */
  private void add(Example example, int from, int to, int[] span, int weight) {
    for (int t = from; t < to; t++) {
      tokens[row] = example.tokens()[t];
      positions[row] = t;
      System.arraycopy(span, 0, spans, SPAN * row, SPAN);
      rowWeights[row] = weight;
      int next = t + 1;
      if (next < example.length() && example.labels()[next] != Example.IGNORE) {
        labelledRows[label] = row;
        targets[label] = example.labels()[next];
        targetWeights[label] = weight;
        label++;
      }
      row++;
    }
  }

  private TokenBatch batch(long firstRow, long firstLabelled) {
    return new TokenBatch(
        tokens,
        positions,
        spans,
        rowWeights,
        Arrays.copyOf(labelledRows, label),
        Arrays.copyOf(targets, label),
        Arrays.copyOf(targetWeights, label),
        firstRow,
        firstLabelled);
  }

  /**
   * One micro-batch of whole examples.
   *
   * @param examples at least one
   * @param firstRow rows of the effective batch before this micro-batch
   * @param firstLabelled labelled rows of the effective batch before this micro-batch
   */
  public static TokenBatch of(
      List<Example> examples, Prefixes prefixes, long firstRow, long firstLabelled) {
    return new BatchBuilder(prefixes.groups(examples)).batch(firstRow, firstLabelled);
  }

  /** A batch of its own. */
  public static TokenBatch of(List<Example> examples, Prefixes prefixes) {
    return of(examples, prefixes, 0, 0);
  }

  /** A batch of its own in which every token of every example has its row. */
  public static TokenBatch of(List<Example> examples) {
    return of(examples, Prefixes.REPEATED);
  }

  /** Cuts an effective batch into micro-batches of {@code size} examples. */
  public static List<TokenBatch> microBatches(List<Example> batch, int size, Prefixes prefixes) {
    List<List<Example>> parts = new ArrayList<>();
    for (int i = 0; i < batch.size(); i += size) {
      parts.add(batch.subList(i, Math.min(batch.size(), i + size)));
    }
    return microBatches(parts, prefixes);
  }

  /** The micro-batches of one effective batch. */
  public static List<TokenBatch> microBatches(List<List<Example>> parts, Prefixes prefixes) {
    List<TokenBatch> batches = new ArrayList<>();
    long firstRow = 0;
    long firstLabelled = 0;
    for (List<Example> part : parts) {
      TokenBatch batch = of(part, prefixes, firstRow, firstLabelled);
      batches.add(batch);
      firstRow += batch.size();
      firstLabelled += batch.labelled();
    }
    return batches;
  }

  /** Number of tokens of the examples together. */
  static int tokens(List<Example> examples) {
    return examples.stream().mapToInt(Example::length).reduce(0, Math::addExact);
  }
}
