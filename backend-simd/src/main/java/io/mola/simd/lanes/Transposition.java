package io.mola.simd.lanes;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Transposes matrices of floats, in squares of eight in 256-bit registers, also where vectors are
 * wider. Element by element the stores, a row of the result apart, would each meet another cache
 * line. At 128 bits that is what happens.
 */
public final class Transposition {
  private static final int SQUARE = 8;
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_256;
  private static final VectorShuffle<Float> SWAP4 =
      VectorShuffle.fromValues(S, 4, 5, 6, 7, 0, 1, 2, 3);
  private static final VectorShuffle<Float> SWAP2 =
      VectorShuffle.fromValues(S, 2, 3, 0, 1, 6, 7, 4, 5);
  private static final VectorShuffle<Float> SWAP1 =
      VectorShuffle.fromValues(S, 1, 0, 3, 2, 5, 4, 7, 6);
  private static final VectorMask<Float> HIGH4 = VectorMask.fromLong(S, 0xF0);
  private static final VectorMask<Float> HIGH2 = VectorMask.fromLong(S, 0xCC);
  private static final VectorMask<Float> HIGH1 = VectorMask.fromLong(S, 0xAA);

  private Transposition() {}

  /**
   * {@code to[j][i] = factor · x[i][j]}.
   *
   * @param ld distance of two rows of x
   * @param rows of x
   * @param cols of x
   * @param ldTo distance of two rows of the result
   */
  public static void run(
      float[] x, int xo, int ld, int rows, int cols, float factor, float[] to, int at, int ldTo) {
    int wholeRows = VectorWidth.LANES == 4 ? 0 : rows & -SQUARE;
    int wholeCols = cols & -SQUARE;
    for (int i = 0; i < wholeRows; i += SQUARE) {
      squares(x, xo + i * ld, ld, wholeCols, factor, to, at + i, ldTo);
    }
    scalar(x, xo, ld, 0, wholeRows, wholeCols, cols, factor, to, at, ldTo);
    scalar(x, xo, ld, wholeRows, rows, 0, cols, factor, to, at, ldTo);
  }

  private static void scalar(
      float[] x,
      int xo,
      int ld,
      int i0,
      int i1,
      int j0,
      int j1,
      float factor,
      float[] to,
      int at,
      int ldTo) {
    for (int i = i0; i < i1; i++) {
      int from = xo + i * ld;
      int o = at + i;
      for (int j = j0; j < j1; j++) {
        to[o + j * ldTo] = x[from + j] * factor;
      }
    }
  }

  /** Eight rows; {@code cols} is a multiple of eight. */
  private static void squares(
      float[] x, int xo, int ld, int cols, float factor, float[] to, int at, int ldTo) {
    for (int j = 0; j < cols; j += SQUARE) {
      int s = xo + j;
      FloatVector a0 = FloatVector.fromArray(S, x, s).mul(factor);
      FloatVector a1 = FloatVector.fromArray(S, x, s + ld).mul(factor);
      FloatVector a2 = FloatVector.fromArray(S, x, s + 2 * ld).mul(factor);
      FloatVector a3 = FloatVector.fromArray(S, x, s + 3 * ld).mul(factor);
      FloatVector a4 = FloatVector.fromArray(S, x, s + 4 * ld).mul(factor);
      FloatVector a5 = FloatVector.fromArray(S, x, s + 5 * ld).mul(factor);
      FloatVector a6 = FloatVector.fromArray(S, x, s + 6 * ld).mul(factor);
      FloatVector a7 = FloatVector.fromArray(S, x, s + 7 * ld).mul(factor);
      FloatVector b0 = a0.blend(a4.rearrange(SWAP4), HIGH4);
      FloatVector b4 = a0.rearrange(SWAP4).blend(a4, HIGH4);
      FloatVector b1 = a1.blend(a5.rearrange(SWAP4), HIGH4);
      FloatVector b5 = a1.rearrange(SWAP4).blend(a5, HIGH4);
      FloatVector b2 = a2.blend(a6.rearrange(SWAP4), HIGH4);
      FloatVector b6 = a2.rearrange(SWAP4).blend(a6, HIGH4);
      FloatVector b3 = a3.blend(a7.rearrange(SWAP4), HIGH4);
      FloatVector b7 = a3.rearrange(SWAP4).blend(a7, HIGH4);
      FloatVector c0 = b0.blend(b2.rearrange(SWAP2), HIGH2);
      FloatVector c2 = b0.rearrange(SWAP2).blend(b2, HIGH2);
      FloatVector c1 = b1.blend(b3.rearrange(SWAP2), HIGH2);
      FloatVector c3 = b1.rearrange(SWAP2).blend(b3, HIGH2);
      FloatVector c4 = b4.blend(b6.rearrange(SWAP2), HIGH2);
      FloatVector c6 = b4.rearrange(SWAP2).blend(b6, HIGH2);
      FloatVector c5 = b5.blend(b7.rearrange(SWAP2), HIGH2);
      FloatVector c7 = b5.rearrange(SWAP2).blend(b7, HIGH2);
      int q = at + j * ldTo;
      c0.blend(c1.rearrange(SWAP1), HIGH1).intoArray(to, q);
      c0.rearrange(SWAP1).blend(c1, HIGH1).intoArray(to, q + ldTo);
      c2.blend(c3.rearrange(SWAP1), HIGH1).intoArray(to, q + 2 * ldTo);
      c2.rearrange(SWAP1).blend(c3, HIGH1).intoArray(to, q + 3 * ldTo);
      c4.blend(c5.rearrange(SWAP1), HIGH1).intoArray(to, q + 4 * ldTo);
      c4.rearrange(SWAP1).blend(c5, HIGH1).intoArray(to, q + 5 * ldTo);
      c6.blend(c7.rearrange(SWAP1), HIGH1).intoArray(to, q + 6 * ldTo);
      c6.rearrange(SWAP1).blend(c7, HIGH1).intoArray(to, q + 7 * ldTo);
    }
  }
}
