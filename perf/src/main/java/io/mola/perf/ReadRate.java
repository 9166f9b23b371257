package io.mola.perf;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** How fast threads together read memory that is in no cache: the roof of a token's weights. */
final class ReadRate {
  private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
  private static final int L = F.length();

  /** Floats of a thread: 128 MiB, more than any cache. */
  private static final int SIZE = 1 << 25;

  private static final int ROUNDS = 7;

  private ReadRate() {}

  /** Median of some rounds, in bytes per second. */
  static double measure(int threads) {
    float[][] data = new float[threads][SIZE];
    for (float[] each : data) {
      Arrays.fill(each, 1f);
    }
    double[] rates = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      rates[round] = round(data);
    }
    Arrays.sort(rates);
    return rates[ROUNDS / 2];
  }

  private static double round(float[][] data) {
    float[] sums = new float[data.length];
    Thread[] threads = new Thread[data.length];
    long start = System.nanoTime();
    for (int i = 0; i < threads.length; i++) {
      int index = i;
      threads[i] = Thread.ofPlatform().start(() -> sums[index] = sum(data[index]));
    }
    for (Thread thread : threads) {
      join(thread);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    if (sums[0] != SIZE) {
      throw new IllegalStateException("sum " + sums[0]);
    }
    return 4.0 * SIZE * data.length / seconds;
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static float sum(float[] x) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int i = 0; i < x.length; i += 4 * L) {
      a = a.add(FloatVector.fromArray(F, x, i));
      b = b.add(FloatVector.fromArray(F, x, i + L));
      c = c.add(FloatVector.fromArray(F, x, i + 2 * L));
      d = d.add(FloatVector.fromArray(F, x, i + 3 * L));
    }
    return a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
  }
}
