package io.mola.core.backend;

/**
 * Which elements of an adapter's input are dropped: a pure function of position, so that every
 * backend and every number of threads draws the same mask, and recomputation draws it again.
 *
 * <p>Element (row, col) of the input [n, in] of a group has index {@code i = (firstRow + row) * in
 * + col}. It is word {@code i mod 4} of Philox4x32-10 (Salmon et al., SC 2011) with key {@code
 * (seed low, seed high)} and counter {@code (i/4 low, i/4 high, step, stream)}. It is kept, and
 * scaled by {@code 1/(1-p)}, where {@code word >>> 8 >= round(p * 2^24)}.
 *
 * @param probability p in [0, 1); 0: no dropout, nothing is drawn
 * @param seed key
 * @param step optimiser step, from 0
 * @param stream layer times 4 plus group
 * @param firstRow index of row 0 within the rows of the effective batch, so that accumulation draws
 *     what the big batch draws where no rows are shared
 */
public record Dropout(float probability, long seed, int step, int stream, long firstRow) {
  /** Nothing is dropped. */
  public static final Dropout NONE = new Dropout(0, 0, 0, 0, 0);

  /** Checks the probability. */
  public Dropout {
    if (!(probability >= 0 && probability < 1)) {
      throw new IllegalArgumentException("dropout probability " + probability);
    }
  }

  /** Smallest {@code word >>> 8} that is kept. */
  public int threshold() {
    return Math.round(probability * (1 << 24));
  }

  /** Factor of the kept elements. */
  public float keptScale() {
    return 1f / (1f - probability);
  }
}
