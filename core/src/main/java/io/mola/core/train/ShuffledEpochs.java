package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Every example once per epoch, in an order drawn anew for each epoch from the seed (Fisher-Yates
 * over a SplittableRandom seeded with seed and epoch). The last batch of an epoch may be smaller;
 * none is dropped.
 */
public final class ShuffledEpochs implements BatchSource {
  private final List<Example> examples;
  private final int batchSize;
  private final int perEpoch;
  private final int steps;
  private final long seed;
  private int drawnEpoch = -1;
  private int[] order = new int[0];

  /**
   * @param batchSize examples of an effective batch
   * @param epochs passes over the examples
   * @param maxSteps upper bound of the steps; 0: none
   */
  public ShuffledEpochs(
      List<Example> examples, int batchSize, int epochs, int maxSteps, long seed) {
    this.examples = List.copyOf(examples);
    this.batchSize = batchSize;
    this.seed = seed;
    perEpoch = Math.ceilDiv(examples.size(), batchSize);
    long all = (long) perEpoch * epochs;
    steps = Math.toIntExact(maxSteps == 0 ? all : Math.min(maxSteps, all));
  }

  @Override
  public int steps() {
    return steps;
  }

  @Override
  public List<Example> batch(int step) {
    int epoch = step / perEpoch;
    if (epoch != drawnEpoch) {
      order = order(epoch);
      drawnEpoch = epoch;
    }
    int from = step % perEpoch * batchSize;
    int to = Math.min(examples.size(), from + batchSize);
    List<Example> batch = new ArrayList<>(to - from);
    for (int i = from; i < to; i++) {
      batch.add(examples.get(order[i]));
    }
    return batch;
  }

  /** All examples, in the order of the data set. */
  List<Example> examples() {
    return examples;
  }

  /** Examples of an effective batch; the last of an epoch may have fewer. */
  int batchSize() {
    return batchSize;
  }

  /** Steps of a whole epoch. */
  int stepsPerEpoch() {
    return perEpoch;
  }

  /** Examples that the run sees, again in each epoch. */
  long visits() {
    long whole = steps / perEpoch;
    long further = (long) (steps % perEpoch) * batchSize;
    return whole * examples.size() + further;
  }

  /** The order in which an epoch takes the examples: a permutation of 0 .. n-1. */
  int[] order(int epoch) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + epoch);
    int[] drawn = new int[examples.size()];
    for (int i = 0; i < drawn.length; i++) {
      int j = random.nextInt(i + 1);
      drawn[i] = drawn[j];
      drawn[j] = i;
    }
    return drawn;
  }
}
