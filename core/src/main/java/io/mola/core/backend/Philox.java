package io.mola.core.backend;

/**
 * Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror, Shaw: "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011): ten rounds of two 32 x 32 -> 64 bit products. No state,
 * so any element of a stream can be drawn alone.
 */
public final class Philox {
  /** First multiplier. */
  public static final int M0 = 0xD2511F53;

  /** Second multiplier. */
  public static final int M1 = 0xCD9E8D57;

  /** Increment of the first key word per round. */
  public static final int W0 = 0x9E3779B9;

  /** Increment of the second key word per round. */
  public static final int W1 = 0xBB67AE85;

  /** Number of rounds. */
  public static final int ROUNDS = 10;

  private Philox() {}

  /** The four words of {@code counter} under {@code key}, written to {@code out[0..3]}. */
  public static void words(long key, int c0, int c1, int c2, int c3, int[] out) {
    int k0 = (int) key;
    int k1 = (int) (key >>> 32);
    for (int round = 0; round < ROUNDS; round++) {
      long p0 = (M0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
      long p1 = (M1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
      int n0 = (int) (p1 >>> 32) ^ c1 ^ k0;
      int n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
      c1 = (int) p1;
      c3 = (int) p0;
      c0 = n0;
      c2 = n2;
      k0 += W0;
      k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
  }
}
