package io.mola.core.train;

import io.mola.core.data.Example;
import io.mola.core.model.TokenBatch;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts effective batches into micro-batches of at most {@code size} examples that fit into the
 * buffers. Where {@code size} examples do not fit together, which happens only in runs too long to
 * be walked by {@link LargestMicroBatch}, they run in two or more parts.
 *
 * @param size examples that run at a time
 * @param prefixes of the examples of a micro-batch
 * @param room of the buffers; each example fits alone
 */
record MicroBatches(int size, Prefixes prefixes, RowCount room) {

  /** The micro-batches of an effective batch, in order. */
  List<TokenBatch> of(List<Example> batch) {
    return BatchBuilder.microBatches(parts(batch), prefixes);
  }

  /** Their examples. */
  List<List<Example>> parts(List<Example> batch) {
    List<List<Example>> parts = new ArrayList<>();
    int from = 0;
    while (from < batch.size()) {
      int to = from + Math.min(size, batch.size() - from);
      List<Example> examples = batch.subList(from, to);
      if (room.holds(RowCount.of(examples, prefixes))) {
        parts.add(examples);
      } else {
        addInParts(examples, parts);
      }
      from = to;
    }
    return parts;
  }

  private void addInParts(List<Example> examples, List<List<Example>> parts) {
    int from = 0;
    for (int to = 2; to <= examples.size(); to++) {
      if (!room.holds(RowCount.of(examples.subList(from, to), prefixes))) {
        parts.add(examples.subList(from, to - 1));
        from = to - 1;
      }
    }
    parts.add(examples.subList(from, examples.size()));
  }
}
