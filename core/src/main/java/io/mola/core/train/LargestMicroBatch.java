package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.List;

/**
 * The largest micro-batch of a run, found before the run by walking through its own data order.
 *
 * <p>The order of every epoch is a function of the seed, so the walk sees what the run will see,
 * and the figures are exact; a bound from the longest examples alone would be several times too
 * large, because they seldom meet. The walk looks at lengths only and stops after {@link #VISITS}
 * examples (but never within the first epoch), a fraction of a second. In a longer run a later
 * micro-batch may be larger than all before: {@link MicroBatches} then cuts it, so that the plan
 * still holds. Both depend on the data, its order and the batch sizes only, so every run with these
 * is cut alike.
 *
 * @param tokens most tokens of a micro-batch
 * @param labelled most labelled rows of a micro-batch
 * @param positions most tokens of an example
 */
record LargestMicroBatch(int tokens, int labelled, int positions) {
  /** Examples that are looked at. */
  static final int VISITS = 1 << 24;

  /**
   * Walks.
   *
   * @param size examples of a micro-batch
   */
  static LargestMicroBatch of(ShuffledEpochs run, int size) {
    return of(run, size, VISITS);
  }

  static LargestMicroBatch of(ShuffledEpochs run, int size, int visits) {
    List<Example> examples = run.examples();
    int[] lengths = examples.stream().mapToInt(Example::length).toArray();
    int[] targets = examples.stream().mapToInt(Example::targets).toArray();
    int epochs = Math.ceilDiv(run.steps(), run.stepsPerEpoch());
    // One by one, all epochs have the same micro-batches.
    int walked = size == 1 ? 1 : Math.clamp(visits / examples.size(), 1, epochs);
    Maximum maximum = new Maximum();
    for (int epoch = 0; epoch < walked; epoch++) {
      long steps = Math.min(run.stepsPerEpoch(), run.steps() - (long) epoch * run.stepsPerEpoch());
      int used = (int) Math.min(examples.size(), steps * run.batchSize());
      maximum.walk(run.order(epoch), used, run.batchSize(), size, lengths, targets);
    }
    return new LargestMicroBatch(maximum.tokens, maximum.labelled, maximum.positions);
  }

  /** What the walk has found so far. */
  private static final class Maximum {
    private int tokens = 1;
    private int labelled = 1;
    private int positions = 1;

    /** The micro-batches of the first {@code used} examples of an epoch's order. */
    void walk(int[] order, int used, int batchSize, int size, int[] lengths, int[] targets) {
      int begin = 0;
      while (begin < used) {
        int batchEnd = begin + Math.min(batchSize, used - begin);
        while (begin < batchEnd) {
          int end = begin + Math.min(size, batchEnd - begin);
          int rows = 0;
          int labels = 0;
          for (int i = begin; i < end; i++) {
            int length = lengths[order[i]];
            rows = Math.addExact(rows, length);
            labels += targets[order[i]];
            positions = Math.max(positions, length);
          }
          tokens = Math.max(tokens, rows);
          labelled = Math.max(labelled, labels);
          begin = end;
        }
      }
    }
  }
}
