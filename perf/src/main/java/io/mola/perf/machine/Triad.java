package io.mola.perf.machine;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * STREAM's triad {@code a = b + s · c} (McCalpin 1995): the bytes per second that loops without
 * reuse can have at best, for arrays of a given size in all. Counted as STREAM does, two reads and
 * one write; that a processor reads what it is about to overwrite is not counted, neither here nor
 * in the operations that are judged by it.
 */
public final class Triad {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int ARRAYS = 3;

  private final int threads;
  private final float[][][] arrays;

  /**
   * Arrays of their own for each thread.
   *
   * @param workingSet bytes of all of them together
   */
  public Triad(int threads, double workingSet) {
    this.threads = threads;
    int elements = (int) (workingSet / Float.BYTES / ARRAYS / threads);
    int whole = Math.max(SPECIES.length(), SPECIES.loopBound(elements));
    arrays = new float[threads][ARRAYS][whole];
    for (float[][] own : arrays) {
      for (float[] array : own) {
        Arrays.fill(array, 1);
      }
    }
  }

  /** Bytes per second of all threads at the same time, over at least the given seconds. */
  public double bytesPerSecond(double seconds) {
    return Crew.sum(
        threads,
        number -> {
          float[][] own = arrays[number];
          pass(own[0], own[1], own[2]);
          long start = System.nanoTime();
          long end = start + (long) (1e9 * seconds);
          double bytes = 0;
          long now = start;
          while (now < end) {
            pass(own[0], own[1], own[2]);
            bytes += (double) ARRAYS * Float.BYTES * own[0].length;
            now = System.nanoTime();
          }
          return bytes / (1e-9 * (now - start));
        });
  }

  private static void pass(float[] a, float[] b, float[] c) {
    FloatVector s = FloatVector.broadcast(SPECIES, 0.5f);
    for (int i = 0; i < a.length; i += SPECIES.length()) {
      FloatVector.fromArray(SPECIES, c, i)
          .fma(s, FloatVector.fromArray(SPECIES, b, i))
          .intoArray(a, i);
    }
  }
}
