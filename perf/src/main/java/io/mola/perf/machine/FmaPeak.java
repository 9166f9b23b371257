package io.mola.perf.machine;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Fused multiply-adds on registers alone, in the width that the platform prefers. Ten independent
 * chains hide the latency of up to five cycles on two pipes; they fit the sixteen registers of
 * AVX2.
 */
public final class FmaPeak {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int CHAINS = 10;
  private static final int ROUNDS = 10_000;

  /** Keeps results alive. */
  private static volatile float sink;

  private FmaPeak() {}

  /** Floating-point operations of one {@link #chains()}. */
  public static double flopsOfChains() {
    return 2.0 * ROUNDS * CHAINS * SPECIES.length();
  }

  /** Waits for the compiler: until the rate has stopped growing, at most 20 seconds. */
  public static void warmUp(int threads) {
    double before = 0;
    for (int i = 0; i < 20; i++) {
      double rate = flopsPerSecond(threads, 1);
      if (rate < 1.1 * before) {
        return;
      }
      before = rate;
    }
  }

  /**
   * Floating-point operations per second of that many threads at the same time, over the given
   * seconds.
   */
  public static double flopsPerSecond(int threads, double seconds) {
    return Crew.sum(
        threads,
        number -> {
          long start = System.nanoTime();
          long end = start + (long) (1e9 * seconds);
          double flops = 0;
          long now = start;
          while (now < end) {
            sink = chains();
            flops += flopsOfChains();
            now = System.nanoTime();
          }
          return flops / (1e-9 * (now - start));
        });
  }

  /** The multiply-adds; the result says nothing. */
  public static float chains() {
    FloatVector factor = FloatVector.broadcast(SPECIES, 0.999f);
    FloatVector term = FloatVector.broadcast(SPECIES, 0.001f);
    FloatVector a = term;
    FloatVector b = term;
    FloatVector c = term;
    FloatVector d = term;
    FloatVector e = term;
    FloatVector f = term;
    FloatVector g = term;
    FloatVector h = term;
    FloatVector i = term;
    FloatVector j = term;
    for (int round = 0; round < ROUNDS; round++) {
      a = a.fma(factor, term);
      b = b.fma(factor, term);
      c = c.fma(factor, term);
      d = d.fma(factor, term);
      e = e.fma(factor, term);
      f = f.fma(factor, term);
      g = g.fma(factor, term);
      h = h.fma(factor, term);
      i = i.fma(factor, term);
      j = j.fma(factor, term);
    }
    return a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).lane(0);
  }
}
