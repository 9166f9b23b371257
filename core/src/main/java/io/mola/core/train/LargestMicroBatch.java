package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.Arrays;
import java.util.List;

/**
 * The largest micro-batch of a run, found before the run by walking through its own data order.
 *
 * <p>The order of every epoch is a function of the seed, so the walk sees what the run will see,
 * and the figures are exact; a bound from the longest examples alone would be several times too
 * large, because they seldom meet. The walk looks at lengths and shared beginnings only and ends
 * after {@link #VISITS} examples, a fraction of a second. In a longer run a later micro-batch may
 * be larger than all before: {@link MicroBatches} then cuts it, so that the plan still holds. Both
 * depend on the data, its order and the batch sizes only, so every run with these is cut alike.
 *
 * @param rows most tokens and most labelled rows of a micro-batch
 * @param positions most tokens of an example
 */
record LargestMicroBatch(RowCount rows, int positions) {
  /** Examples that are looked at. */
  static final int VISITS = 1 << 24;

  /** The same where shared beginnings have to be found: each costs microseconds. */
  static final int SHARED_VISITS = 1 << 17;

  /** The rows of the micro-batch of the examples {@code order[from .. to)}. */
  private interface Counting {
    RowCount of(int[] order, int from, int to);
  }

  /**
   * Walks.
   *
   * @param size examples of a micro-batch
   * @param prefixes of its examples
   */
  static LargestMicroBatch of(ShuffledEpochs run, int size, Prefixes prefixes) {
    return of(run, size, prefixes, prefixes == Prefixes.SHARED ? SHARED_VISITS : VISITS);
  }

  static LargestMicroBatch of(ShuffledEpochs run, int size, Prefixes prefixes, long visits) {
    List<Example> examples = run.examples();
    int[] lengths = examples.stream().mapToInt(Example::length).toArray();
    int[] targets = examples.stream().mapToInt(Example::targets).toArray();
    Counting counting =
        prefixes == Prefixes.SHARED ? bySharing(examples) : byLength(lengths, targets);
    Walk walk = new Walk(size, run.batchSize(), lengths, counting);
    if (run.steps() >= run.stepsPerEpoch() || run.visits() > visits) {
      walk.eachAlone();
    }
    // One by one, all epochs have the same micro-batches.
    long left = Math.min(visits, size == 1 ? Math.min(run.visits(), lengths.length) : run.visits());
    for (int epoch = 0; left > 0; epoch++) {
      int used = (int) Math.min(left, lengths.length);
      walk.through(run.order(epoch), used);
      left -= used;
    }
    return new LargestMicroBatch(walk.largest, walk.positions);
  }

  private static Counting bySharing(List<Example> examples) {
    return (order, from, to) ->
        RowCount.of(
            Arrays.stream(order, from, to).mapToObj(examples::get).toList(), Prefixes.SHARED);
  }

  private static Counting byLength(int[] lengths, int[] targets) {
    return (order, from, to) -> {
      int tokens = 0;
      int labelled = 0;
      for (int i = from; i < to; i++) {
        tokens = Math.addExact(tokens, lengths[order[i]]);
        labelled += targets[order[i]];
      }
      return new RowCount(tokens, labelled);
    };
  }

  /** A walk and what it has found so far. */
  private static final class Walk {
    private final int size;
    private final int batchSize;
    private final int[] lengths;
    private final Counting counting;
    private RowCount largest = new RowCount(1, 1);
    private int positions = 1;

    Walk(int size, int batchSize, int[] lengths, Counting counting) {
      this.size = size;
      this.batchSize = batchSize;
      this.lengths = lengths;
      this.counting = counting;
    }

    /** Every example of the data set. */
    void eachAlone() {
      int[] one = new int[1];
      for (int i = 0; i < lengths.length; i++) {
        one[0] = i;
        largest = largest.max(counting.of(one, 0, 1));
        positions = Math.max(positions, lengths[i]);
      }
    }

    /** The micro-batches of the first {@code used} examples of an epoch's order. */
    void through(int[] order, int used) {
      for (int i = 0; i < used; i++) {
        positions = Math.max(positions, lengths[order[i]]);
      }
      int begin = 0;
      while (begin < used) {
        int batchEnd = begin + Math.min(batchSize, used - begin);
        while (begin < batchEnd) {
          int end = begin + Math.min(size, batchEnd - begin);
          largest = largest.max(counting.of(order, begin, end));
          begin = end;
        }
      }
    }
  }
}
