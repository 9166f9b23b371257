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

  private DropoutLanes() {}

  /** Length that a buffer of words needs for rows of {@code cols} elements. */
  public static int wordsLength(int cols) {
    return cols + 4 + 4 * COUNTERS;
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

  /** {@code to += x ⊙ D} for one row; parameters as above. */
  public static void applyAdding(
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
      FloatVector y = FloatVector.fromArray(F, to, at + i);
      y.add(FloatVector.zero(F).blend(v, kept.cast(F))).intoArray(to, at + i);
    }
    for (; i < cols; i++) {
      if (words[skip + i] >>> 8 >= threshold) {
        to[at + i] += x[xo + i] * scale;
      }
    }
  }

  /** Draws the words of a row; returns where in {@code words} its first element stands (0 .. 3). */
  private static int draw(Dropout dropout, int row, int cols, int[] words) {
    long first = (dropout.firstRow() + row) * cols;
    long counter = first >>> 2;
    int skip = (int) (first & 3);
    for (int at = 0; at < skip + cols; at += 4 * COUNTERS, counter += COUNTERS) {
      philox(dropout.seed(), counter, dropout.step(), dropout.stream(), words, at);
    }
    return skip;
  }

  private static void philox(long key, long counter, int step, int stream, int[] to, int at) {
    LongVector count = STEPS.add(counter);
    LongVector c0 = count.and(LOW);
    LongVector c1 = count.lanewise(VectorOperators.LSHR, 32);
    LongVector c2 = LongVector.broadcast(L, step & LOW);
    LongVector c3 = LongVector.broadcast(L, stream & LOW);
    int k0 = (int) key;
    int k1 = (int) (key >>> 32);
    for (int round = 0; round < Philox.ROUNDS; round++) {
      LongVector p0 = c0.mul(Philox.M0 & LOW);
      LongVector p1 = c2.mul(Philox.M1 & LOW);
      c0 = p1.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c1);
      c0 = c0.lanewise(VectorOperators.XOR, k0 & LOW);
      c2 = p0.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c3);
      c2 = c2.lanewise(VectorOperators.XOR, k1 & LOW);
      c1 = p1.and(LOW);
      c3 = p0.and(LOW);
      k0 += Philox.W0;
      k1 += Philox.W1;
    }
    if (COUNTERS == 2) {
      // rearranging two longs is not one instruction, and would box them
      store(c0.lane(0), c1.lane(0), c2.lane(0), c3.lane(0), to, at);
      store(c0.lane(1), c1.lane(1), c2.lane(1), c3.lane(1), to, at + 4);
      return;
    }
    LongVector a = c0.lanewise(VectorOperators.OR, c1.lanewise(VectorOperators.LSHL, 32));
    LongVector b = c2.lanewise(VectorOperators.OR, c3.lanewise(VectorOperators.LSHL, 32));
    a.rearrange(FIRST, b).reinterpretAsInts().intoArray(to, at);
    a.rearrange(SECOND, b).reinterpretAsInts().intoArray(to, at + 2 * COUNTERS);
  }

  private static void store(long w0, long w1, long w2, long w3, int[] to, int at) {
    to[at] = (int) w0;
    to[at + 1] = (int) w1;
    to[at + 2] = (int) w2;
    to[at + 3] = (int) w3;
  }
}
