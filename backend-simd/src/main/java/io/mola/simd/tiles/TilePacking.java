package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Moves rows of floats into tiles [k][ROWS] of their bits.
 *
 * <p>Eight columns at a time are transposed in 256-bit registers, also where vectors are wider: the
 * eight rows of a 512-bit tile fill such a register. A tile of five rows is stored eight wide at
 * stride five, each store overwriting the tail of the one before; the last one needs {@link #SLACK}
 * after the tile. At 128 bits rows go one by one.
 */
final class TilePacking {
  /** Ints that may be overwritten after a tile. */
  static final int SLACK = 8;

  private static final int ROWS = MicroKernel.ROWS;
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

  private TilePacking() {}

  /** {@code to[i][r] = x[r][i]} for ROWS rows, {@code ld} apart, of {@code count} columns. */
  static void rows(float[] x, int xo, int ld, int count, int[] to, int at) {
    int whole = VectorWidth.LANES == 4 ? 0 : count & -8;
    if (ROWS == 8) {
      rows8(x, xo, ld, whole, to, at);
    } else {
      rows5(x, xo, ld, whole, to, at);
    }
    someRows(x, xo + whole, ld, ROWS, count - whole, to, at + whole * ROWS);
  }

  /** As {@link #rows} for {@code rows < ROWS} rows; the others are zero. */
  static void someRows(float[] x, int xo, int ld, int rows, int count, int[] to, int at) {
    for (int r = 0; r < ROWS; r++) {
      int from = xo + r * ld;
      int t = at + r;
      if (r < rows) {
        for (int i = 0; i < count; i++) {
          to[t + i * ROWS] = Float.floatToRawIntBits(x[from + i]);
        }
      } else {
        for (int i = 0; i < count; i++) {
          to[t + i * ROWS] = 0;
        }
      }
    }
  }

  /**
   * {@code to[i][c] = x[i][c]} for {@code count} rows, {@code ld} apart, and {@code columns <=
   * ROWS} columns, the others being zero: the product then runs over the rows of x.
   */
  static void columns(float[] x, int xo, int ld, int columns, int count, int[] to, int at) {
    int whole = VectorWidth.LANES == 4 ? 0 : count;
    // eight floats are read, which at the very end of x may be too many
    while (whole > 0 && xo + (whole - 1) * ld + 8 > x.length) {
      whole--;
    }
    if (columns == 8) {
      for (int i = 0; i < whole; i++) {
        FloatVector.fromArray(S, x, xo + i * ld).reinterpretAsInts().intoArray(to, at + i * ROWS);
      }
    } else {
      VectorMask<Float> none = VectorMask.fromLong(S, -1L << columns & 0xFF);
      for (int i = 0; i < whole; i++) {
        FloatVector row = FloatVector.fromArray(S, x, xo + i * ld).blend(0f, none);
        row.reinterpretAsInts().intoArray(to, at + i * ROWS);
      }
    }
    for (int i = whole; i < count; i++) {
      for (int c = 0; c < ROWS; c++) {
        to[at + i * ROWS + c] = c < columns ? Float.floatToRawIntBits(x[xo + i * ld + c]) : 0;
      }
    }
  }

  private static void rows5(float[] x, int xo, int ld, int count, int[] to, int at) {
    for (int i = 0; i < count; i += 8) {
      int s = xo + i;
      FloatVector a0 = FloatVector.fromArray(S, x, s);
      FloatVector a1 = FloatVector.fromArray(S, x, s + ld);
      FloatVector a2 = FloatVector.fromArray(S, x, s + 2 * ld);
      FloatVector a3 = FloatVector.fromArray(S, x, s + 3 * ld);
      FloatVector a4 = FloatVector.fromArray(S, x, s + 4 * ld);
      FloatVector b0 = a0.blend(a4.rearrange(SWAP4), HIGH4);
      FloatVector b4 = a0.rearrange(SWAP4).blend(a4, HIGH4);
      FloatVector b5 = a1.rearrange(SWAP4);
      FloatVector b6 = a2.rearrange(SWAP4);
      FloatVector b7 = a3.rearrange(SWAP4);
      FloatVector c0 = b0.blend(a2.rearrange(SWAP2), HIGH2);
      FloatVector c2 = b0.rearrange(SWAP2).blend(a2, HIGH2);
      FloatVector c1 = a1.blend(a3.rearrange(SWAP2), HIGH2);
      FloatVector c3 = a1.rearrange(SWAP2).blend(a3, HIGH2);
      FloatVector c4 = b4.blend(b6.rearrange(SWAP2), HIGH2);
      FloatVector c6 = b4.rearrange(SWAP2).blend(b6, HIGH2);
      FloatVector c5 = b5.blend(b7.rearrange(SWAP2), HIGH2);
      FloatVector c7 = b5.rearrange(SWAP2).blend(b7, HIGH2);
      int q = at + i * 5;
      c0.blend(c1.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q);
      c0.rearrange(SWAP1).blend(c1, HIGH1).reinterpretAsInts().intoArray(to, q + 5);
      c2.blend(c3.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 10);
      c2.rearrange(SWAP1).blend(c3, HIGH1).reinterpretAsInts().intoArray(to, q + 15);
      c4.blend(c5.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 20);
      c4.rearrange(SWAP1).blend(c5, HIGH1).reinterpretAsInts().intoArray(to, q + 25);
      c6.blend(c7.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 30);
      c6.rearrange(SWAP1).blend(c7, HIGH1).reinterpretAsInts().intoArray(to, q + 35);
    }
  }

  private static void rows8(float[] x, int xo, int ld, int count, int[] to, int at) {
    for (int i = 0; i < count; i += 8) {
      int s = xo + i;
      FloatVector a0 = FloatVector.fromArray(S, x, s);
      FloatVector a1 = FloatVector.fromArray(S, x, s + ld);
      FloatVector a2 = FloatVector.fromArray(S, x, s + 2 * ld);
      FloatVector a3 = FloatVector.fromArray(S, x, s + 3 * ld);
      FloatVector a4 = FloatVector.fromArray(S, x, s + 4 * ld);
      FloatVector a5 = FloatVector.fromArray(S, x, s + 5 * ld);
      FloatVector a6 = FloatVector.fromArray(S, x, s + 6 * ld);
      FloatVector a7 = FloatVector.fromArray(S, x, s + 7 * ld);
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
      int q = at + i * 8;
      c0.blend(c1.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q);
      c0.rearrange(SWAP1).blend(c1, HIGH1).reinterpretAsInts().intoArray(to, q + 8);
      c2.blend(c3.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 16);
      c2.rearrange(SWAP1).blend(c3, HIGH1).reinterpretAsInts().intoArray(to, q + 24);
      c4.blend(c5.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 32);
      c4.rearrange(SWAP1).blend(c5, HIGH1).reinterpretAsInts().intoArray(to, q + 40);
      c6.blend(c7.rearrange(SWAP1), HIGH1).reinterpretAsInts().intoArray(to, q + 48);
      c6.rearrange(SWAP1).blend(c7, HIGH1).reinterpretAsInts().intoArray(to, q + 56);
    }
  }
}
