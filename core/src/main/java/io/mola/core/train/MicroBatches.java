package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts effective batches into micro-batches of at most {@code size} examples that fit into the
 * buffers. Where {@code size} examples do not fit together, which happens only in runs too long to
 * be walked by {@link LargestMicroBatch}, they run in two or more parts.
 *
 * @param size examples that run at a time
 * @param tokens that the buffers hold; no example has more
 * @param labelled rows with a label that the buffers hold; no example has more
 */
record MicroBatches(int size, int tokens, int labelled) {

  /** The micro-batches of an effective batch, in order. */
  List<List<Example>> of(List<Example> batch) {
    List<List<Example>> parts = new ArrayList<>();
    for (int from = 0; from < batch.size(); ) {
      int to = from + Math.min(size, batch.size() - from);
      addThoseThatFit(batch.subList(from, to), parts);
      from = to;
    }
    return parts;
  }

  private void addThoseThatFit(List<Example> examples, List<List<Example>> parts) {
    int from = 0;
    long rows = 0;
    long labels = 0;
    for (int i = 0; i < examples.size(); i++) {
      int length = examples.get(i).length();
      int targets = examples.get(i).targets();
      if (i > from && (rows + length > tokens || labels + targets > labelled)) {
        parts.add(examples.subList(from, i));
        from = i;
        rows = 0;
        labels = 0;
      }
      rows += length;
      labels += targets;
    }
    parts.add(examples.subList(from, examples.size()));
  }
}
