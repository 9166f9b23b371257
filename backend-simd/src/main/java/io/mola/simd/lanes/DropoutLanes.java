package io.mola.simd.lanes;

import io.mola.core.backend.Dropout;
import io.mola.core.backend.Philox;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dropout masks of whole rows, the bits of {@link Philox} in lanes.
 *
 * <p>A lane of 64 bits holds one 32-bit word of a counter, so that the 32 x 32 -> 64 bit product is
 * one multiplication. Each counter yields the words of four neighbouring elements.
 */
public final class DropoutLanes {
  private static final VectorSpecies<Long> L = VectorWidth.LONG;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int COUNTERS = L.length();
  private static final long LOW = 0xFFFFFFFFL;
  private static final VectorShuffle<Long> FIRST = VectorShuffle.makeZip(L, 0);
  private static final VectorShuffle<Long> SECOND = VectorShuffle.makeZip(L, 1);
  private static final LongVector STEPS = LongVector.zero(L).addIndex(1);

  /** The factors in the upper halves. */
  private static final LongVector M0 = LongVector.broadcast(L, (long) Philox.M0 << 32);

  private static final LongVector M1 = LongVector.broadcast(L, (long) Philox.M1 << 32);

  /** Bit j in lane j. */
  private static final IntVector LANE_BITS =
      IntVector.broadcast(I, 1).lanewise(VectorOperators.LSHL, IntVector.zero(I).addIndex(1));

  private DropoutLanes() {}

  /** Length that a buffer of words needs for rows of {@code cols} elements. */
  public static int wordsLength(int cols) {
    return cols + 4 + 8 * COUNTERS;
  }

  /**
   * {@code to = x ⊙ D} for one row.
   *
   * @param row row of the micro-batch
   * @param cols elements of a row
   * @param words scratch of {@link #wordsLength} ints
   */
  public static void apply(
      Dropout dropout, int row, int cols, float[] x, int xo, float[] to, int at, int[] words) {
    int skip = draw(dropout, row, cols, words);
    int threshold = dropout.threshold();
    float scale = dropout.keptScale();
    int i = 0;
    for (; i <= cols - VectorWidth.LANES; i += VectorWidth.LANES) {
      VectorMask<Integer> kept =
          IntVector.fromArray(I, words, skip + i)
              .lanewise(VectorOperators.LSHR, 8)
              .compare(VectorOperators.GE, threshold);
      FloatVector v = FloatVector.fromArray(F, x, xo + i).mul(scale);
      FloatVector.zero(F).blend(v, kept.cast(F)).intoArray(to, at + i);
    }
    for (; i < cols; i++) {
      to[at + i] = words[skip + i] >>> 8 >= threshold ? x[xo + i] * scale : 0f;
    }
  }

  /** Ints that {@link #keep} notes for a row of {@code cols} elements. */
  public static int keptLength(int cols) {
    return (cols + VectorWidth.LANES - 1) / VectorWidth.LANES;
  }

  /**
   * D of a row as bits: bit j of {@code kept[ko + i]} says whether element {@code i · LANES + j} is
   * kept. Parameters as above.
   */
  public static void keep(Dropout dropout, int row, int cols, int[] words, int[] kept, int ko) {
    int skip = draw(dropout, row, cols, words);
    int threshold = dropout.threshold();
    int i = 0;
    for (; i <= cols - VectorWidth.LANES; i += VectorWidth.LANES) {
      VectorMask<Integer> mask =
          IntVector.fromArray(I, words, skip + i)
              .lanewise(VectorOperators.LSHR, 8)
              .compare(VectorOperators.GE, threshold);
      kept[ko + i / VectorWidth.LANES] = (int) mask.toLong();
    }
    int bits = 0;
    for (int j = 0; i + j < cols; j++) {
      bits |= words[skip + i + j] >>> 8 >= threshold ? 1 << j : 0;
    }
    if (i < cols) {
      kept[ko + i / VectorWidth.LANES] = bits;
    }
  }

  /**
   * {@code s = s ⊙ D} for some rows of two vectors each, one after the other.
   *
   * @param kept of the first row, see {@link #keep}; rows are {@code ldk} apart
   */
  public static void mask(float[] s, int so, int rows, int[] kept, int ko, int ldk, float scale) {
    for (int r = 0; r < rows; r++) {
      int at = so + r * 2 * VectorWidth.LANES;
      int k = ko + r * ldk;
      mask(s, at, kept[k], scale);
      mask(s, at + VectorWidth.LANES, kept[k + 1], scale);
    }
  }

  private static void mask(float[] s, int at, int bits, float scale) {
    masked(s, at, bits, scale).intoArray(s, at);
  }

  /** {@code s = s ⊙ D + y}: as {@link #mask}, rows of y {@code ldy} apart. */
  public static void maskAndAdd(
      float[] s,
      int so,
      int rows,
      int[] kept,
      int ko,
      int ldk,
      float scale,
      float[] y,
      int yo,
      int ldy) {
    for (int r = 0; r < rows; r++) {
      int at = so + r * 2 * VectorWidth.LANES;
      int k = ko + r * ldk;
      int from = yo + r * ldy;
      masked(s, at, kept[k], scale).add(FloatVector.fromArray(F, y, from)).intoArray(s, at);
      masked(s, at + VectorWidth.LANES, kept[k + 1], scale)
          .add(FloatVector.fromArray(F, y, from + VectorWidth.LANES))
          .intoArray(s, at + VectorWidth.LANES);
    }
  }

  private static FloatVector masked(float[] s, int at, int bits, float scale) {
    VectorMask<Integer> kept =
        IntVector.broadcast(I, bits).and(LANE_BITS).compare(VectorOperators.NE, 0);
    return FloatVector.zero(F).blend(FloatVector.fromArray(F, s, at).mul(scale), kept.cast(F));
  }

  /** Draws the words of a row; returns where in {@code words} its first element stands (0 .. 3). */
  private static int draw(Dropout dropout, int row, int cols, int[] words) {
    long first = (dropout.firstRow() + row) * cols;
    long counter = first >>> 2;
    int skip = (int) (first & 3);
    for (int at = 0; at < skip + cols; at += 8 * COUNTERS, counter += 2L * COUNTERS) {
      philox(dropout.seed(), counter, dropout.step(), dropout.stream(), words, at);
    }
    return skip;
  }

  /**
   * Words of {@code 2 · COUNTERS} counters: two chains of products, which alone would each wait for
   * itself. A product of 64-bit lanes is one instruction where the compiler sees ({@code and},
   * shift) that the upper halves of its factors are zero; so products stand in the same round as
   * their factors, the next round's in this one. Everywhere else the upper halves are arbitrary.
   */
  private static void philox(long key, long counter, int step, int stream, int[] to, int at) {
    LongVector m0 = M0.lanewise(VectorOperators.LSHR, 32);
    LongVector m1 = M1.lanewise(VectorOperators.LSHR, 32);
    LongVector c0 = STEPS.add(counter);
    LongVector d0 = STEPS.add(counter + COUNTERS);
    LongVector c1 = c0.lanewise(VectorOperators.LSHR, 32);
    LongVector d1 = d0.lanewise(VectorOperators.LSHR, 32);
    LongVector c2 = LongVector.broadcast(L, step & LOW);
    LongVector c3 = LongVector.broadcast(L, stream & LOW);
    LongVector d2 = c2;
    LongVector d3 = c3;
    int k0 = (int) key;
    int k1 = (int) (key >>> 32);
    LongVector cp0 = c0.and(LOW).mul(m0);
    LongVector cp1 = c2.and(LOW).mul(m1);
    LongVector dp0 = d0.and(LOW).mul(m0);
    LongVector dp1 = d2.and(LOW).mul(m1);
    for (int round = 1; round < Philox.ROUNDS; round++) {
      LongVector key0 = LongVector.broadcast(L, k0 & LOW);
      LongVector key1 = LongVector.broadcast(L, k1 & LOW);
      c0 =
          c1.lanewise(VectorOperators.XOR, key0)
              .lanewise(VectorOperators.XOR, cp1.lanewise(VectorOperators.LSHR, 32));
      c2 =
          c3.lanewise(VectorOperators.XOR, key1)
              .lanewise(VectorOperators.XOR, cp0.lanewise(VectorOperators.LSHR, 32));
      d0 =
          d1.lanewise(VectorOperators.XOR, key0)
              .lanewise(VectorOperators.XOR, dp1.lanewise(VectorOperators.LSHR, 32));
      d2 =
          d3.lanewise(VectorOperators.XOR, key1)
              .lanewise(VectorOperators.XOR, dp0.lanewise(VectorOperators.LSHR, 32));
      c1 = cp1;
      c3 = cp0;
      d1 = dp1;
      d3 = dp0;
      cp0 = c0.and(LOW).mul(m0);
      cp1 = c2.and(LOW).mul(m1);
      dp0 = d0.and(LOW).mul(m0);
      dp1 = d2.and(LOW).mul(m1);
      k0 += Philox.W0;
      k1 += Philox.W1;
    }
    LongVector key0 = LongVector.broadcast(L, k0 & LOW);
    LongVector key1 = LongVector.broadcast(L, k1 & LOW);
    c0 =
        c1.lanewise(VectorOperators.XOR, key0)
            .lanewise(VectorOperators.XOR, cp1.lanewise(VectorOperators.LSHR, 32))
            .and(LOW);
    c2 =
        c3.lanewise(VectorOperators.XOR, key1)
            .lanewise(VectorOperators.XOR, cp0.lanewise(VectorOperators.LSHR, 32))
            .and(LOW);
    d0 =
        d1.lanewise(VectorOperators.XOR, key0)
            .lanewise(VectorOperators.XOR, dp1.lanewise(VectorOperators.LSHR, 32))
            .and(LOW);
    d2 =
        d3.lanewise(VectorOperators.XOR, key1)
            .lanewise(VectorOperators.XOR, dp0.lanewise(VectorOperators.LSHR, 32))
            .and(LOW);
    c1 = cp1;
    c3 = cp0;
    d1 = dp1;
    d3 = dp0;
    if (COUNTERS == 2) {
      // rearranging two longs is not one instruction, and would box them
      store(c0.lane(0), c1.lane(0), c2.lane(0), c3.lane(0), to, at);
      store(c0.lane(1), c1.lane(1), c2.lane(1), c3.lane(1), to, at + 4);
      store(d0.lane(0), d1.lane(0), d2.lane(0), d3.lane(0), to, at + 8);
      store(d0.lane(1), d1.lane(1), d2.lane(1), d3.lane(1), to, at + 12);
      return;
    }
    LongVector a = c0.lanewise(VectorOperators.OR, c1.lanewise(VectorOperators.LSHL, 32));
    LongVector b = c2.lanewise(VectorOperators.OR, c3.lanewise(VectorOperators.LSHL, 32));
    a.rearrange(FIRST, b).reinterpretAsInts().intoArray(to, at);
    a.rearrange(SECOND, b).reinterpretAsInts().intoArray(to, at + 2 * COUNTERS);
    a = d0.lanewise(VectorOperators.OR, d1.lanewise(VectorOperators.LSHL, 32));
    b = d2.lanewise(VectorOperators.OR, d3.lanewise(VectorOperators.LSHL, 32));
    a.rearrange(FIRST, b).reinterpretAsInts().intoArray(to, at + 4 * COUNTERS);
    a.rearrange(SECOND, b).reinterpretAsInts().intoArray(to, at + 6 * COUNTERS);
  }

  private static void store(long w0, long w1, long w2, long w3, int[] to, int at) {
    to[at] = (int) w0;
    to[at + 1] = (int) w1;
    to[at + 2] = (int) w2;
    to[at + 3] = (int) w3;
  }
}
