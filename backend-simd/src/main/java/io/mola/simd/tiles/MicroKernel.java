package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The one product all others are made of: {@code y[rows][COLUMNS] = in + Σ_k x[k][rows] ·
 * w[k][COLUMNS]}, rows being tokens (broadcast), columns outputs (two vectors).
 *
 * <p>With 16 registers (128 and 256 bits) a tile has 5 rows: 10 sums, 2 vectors of weights, and the
 * broadcasts the scheduler keeps alive. One row more and the compiler spills a sum to the stack in
 * most contexts, which halves the speed. With 512 bits there are 32 registers: 8 rows.
 *
 * <p>Rules that the speed depends on. x holds the <em>bits</em> of floats as ints: an int broadcast
 * is not hoisted as early as a float broadcast, so fewer live at once. {@code acc = a.fma(b, acc)},
 * never {@code acc.fma(..)}. No unrolling by hand. No vector crosses a method boundary.
 *
 * <p>Each output is one chain of fused multiply-adds in the order of k, continued through {@code
 * in} and {@code y} where k is cut: how a product is blocked, and how many rows a tile has, cannot
 * be seen in the bits of its result.
 */
public final class MicroKernel {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final int L = VectorWidth.LANES;

  /** Outputs of a panel: two vectors. */
  public static final int COLUMNS = 2 * L;

  /** Tokens of a tile. */
  public static final int ROWS = L == 16 ? 8 : 5;

  /** Panels that {@link #row} multiplies at once. */
  static final int ROW_PANELS = 4;

  private MicroKernel() {}

  /**
   * A whole tile.
   *
   * @param x tile [kc][ROWS] at {@code xo}
   * @param w panel [kc][COLUMNS] at {@code wo}
   * @param add whether the sums start from {@code in}, else from 0
   * @param in ROWS rows of COLUMNS, {@code ldi} apart
   * @param y likewise; may be {@code in}
   */
  public static void tile(
      int[] x,
      int xo,
      float[] w,
      int wo,
      int kc,
      boolean add,
      float[] in,
      int io,
      int ldi,
      float[] y,
      int yo,
      int ldy) {
    if (ROWS == 8) {
      tile8(x, xo, w, wo, kc, add, in, io, ldi, y, yo, ldy);
    } else {
      tile5(x, xo, w, wo, kc, add, in, io, ldi, y, yo, ldy);
    }
  }

  private static void tile5(
      int[] x,
      int xo,
      float[] w,
      int wo,
      int kc,
      boolean add,
      float[] in,
      int io,
      int ldi,
      float[] y,
      int yo,
      int ldy) {
    FloatVector a0, a1, b0, b1, c0, c1, d0, d1, e0, e1;
    if (add) {
      int i1 = io + ldi, i2 = i1 + ldi, i3 = i2 + ldi, i4 = i3 + ldi;
      a0 = FloatVector.fromArray(F, in, io);
      a1 = FloatVector.fromArray(F, in, io + L);
      b0 = FloatVector.fromArray(F, in, i1);
      b1 = FloatVector.fromArray(F, in, i1 + L);
      c0 = FloatVector.fromArray(F, in, i2);
      c1 = FloatVector.fromArray(F, in, i2 + L);
      d0 = FloatVector.fromArray(F, in, i3);
      d1 = FloatVector.fromArray(F, in, i3 + L);
      e0 = FloatVector.fromArray(F, in, i4);
      e1 = FloatVector.fromArray(F, in, i4 + L);
    } else {
      a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = e0 = e1 = FloatVector.zero(F);
    }
    for (int k = 0; k < kc; k++) {
      int p = xo + k * 5, q = wo + k * COLUMNS;
      FloatVector w0 = FloatVector.fromArray(F, w, q), w1 = FloatVector.fromArray(F, w, q + L), v;
      v = IntVector.broadcast(I, x[p]).reinterpretAsFloats();
      a0 = v.fma(w0, a0);
      a1 = v.fma(w1, a1);
      v = IntVector.broadcast(I, x[p + 1]).reinterpretAsFloats();
      b0 = v.fma(w0, b0);
      b1 = v.fma(w1, b1);
      v = IntVector.broadcast(I, x[p + 2]).reinterpretAsFloats();
      c0 = v.fma(w0, c0);
      c1 = v.fma(w1, c1);
      v = IntVector.broadcast(I, x[p + 3]).reinterpretAsFloats();
      d0 = v.fma(w0, d0);
      d1 = v.fma(w1, d1);
      v = IntVector.broadcast(I, x[p + 4]).reinterpretAsFloats();
      e0 = v.fma(w0, e0);
      e1 = v.fma(w1, e1);
    }
    int y1 = yo + ldy, y2 = y1 + ldy, y3 = y2 + ldy, y4 = y3 + ldy;
    a0.intoArray(y, yo);
    a1.intoArray(y, yo + L);
    b0.intoArray(y, y1);
    b1.intoArray(y, y1 + L);
    c0.intoArray(y, y2);
    c1.intoArray(y, y2 + L);
    d0.intoArray(y, y3);
    d1.intoArray(y, y3 + L);
    e0.intoArray(y, y4);
    e1.intoArray(y, y4 + L);
  }

  private static void tile8(
      int[] x,
      int xo,
      float[] w,
      int wo,
      int kc,
      boolean add,
      float[] in,
      int io,
      int ldi,
      float[] y,
      int yo,
      int ldy) {
    FloatVector a0, a1, b0, b1, c0, c1, d0, d1, e0, e1, f0, f1, g0, g1, h0, h1;
    if (add) {
      int i1 = io + ldi, i2 = i1 + ldi, i3 = i2 + ldi, i4 = i3 + ldi;
      int i5 = i4 + ldi, i6 = i5 + ldi, i7 = i6 + ldi;
      a0 = FloatVector.fromArray(F, in, io);
      a1 = FloatVector.fromArray(F, in, io + L);
      b0 = FloatVector.fromArray(F, in, i1);
      b1 = FloatVector.fromArray(F, in, i1 + L);
      c0 = FloatVector.fromArray(F, in, i2);
      c1 = FloatVector.fromArray(F, in, i2 + L);
      d0 = FloatVector.fromArray(F, in, i3);
      d1 = FloatVector.fromArray(F, in, i3 + L);
      e0 = FloatVector.fromArray(F, in, i4);
      e1 = FloatVector.fromArray(F, in, i4 + L);
      f0 = FloatVector.fromArray(F, in, i5);
      f1 = FloatVector.fromArray(F, in, i5 + L);
      g0 = FloatVector.fromArray(F, in, i6);
      g1 = FloatVector.fromArray(F, in, i6 + L);
      h0 = FloatVector.fromArray(F, in, i7);
      h1 = FloatVector.fromArray(F, in, i7 + L);
    } else {
      a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = FloatVector.zero(F);
      e0 = e1 = f0 = f1 = g0 = g1 = h0 = h1 = a0;
    }
    for (int k = 0; k < kc; k++) {
      int p = xo + k * 8, q = wo + k * COLUMNS;
      FloatVector w0 = FloatVector.fromArray(F, w, q), w1 = FloatVector.fromArray(F, w, q + L), v;
      v = IntVector.broadcast(I, x[p]).reinterpretAsFloats();
      a0 = v.fma(w0, a0);
      a1 = v.fma(w1, a1);
      v = IntVector.broadcast(I, x[p + 1]).reinterpretAsFloats();
      b0 = v.fma(w0, b0);
      b1 = v.fma(w1, b1);
      v = IntVector.broadcast(I, x[p + 2]).reinterpretAsFloats();
      c0 = v.fma(w0, c0);
      c1 = v.fma(w1, c1);
      v = IntVector.broadcast(I, x[p + 3]).reinterpretAsFloats();
      d0 = v.fma(w0, d0);
      d1 = v.fma(w1, d1);
      v = IntVector.broadcast(I, x[p + 4]).reinterpretAsFloats();
      e0 = v.fma(w0, e0);
      e1 = v.fma(w1, e1);
      v = IntVector.broadcast(I, x[p + 5]).reinterpretAsFloats();
      f0 = v.fma(w0, f0);
      f1 = v.fma(w1, f1);
      v = IntVector.broadcast(I, x[p + 6]).reinterpretAsFloats();
      g0 = v.fma(w0, g0);
      g1 = v.fma(w1, g1);
      v = IntVector.broadcast(I, x[p + 7]).reinterpretAsFloats();
      h0 = v.fma(w0, h0);
      h1 = v.fma(w1, h1);
    }
    int y1 = yo + ldy, y2 = y1 + ldy, y3 = y2 + ldy, y4 = y3 + ldy;
    int y5 = y4 + ldy, y6 = y5 + ldy, y7 = y6 + ldy;
    a0.intoArray(y, yo);
    a1.intoArray(y, yo + L);
    b0.intoArray(y, y1);
    b1.intoArray(y, y1 + L);
    c0.intoArray(y, y2);
    c1.intoArray(y, y2 + L);
    d0.intoArray(y, y3);
    d1.intoArray(y, y3 + L);
    e0.intoArray(y, y4);
    e1.intoArray(y, y4 + L);
    f0.intoArray(y, y5);
    f1.intoArray(y, y5 + L);
    g0.intoArray(y, y6);
    g1.intoArray(y, y6 + L);
    h0.intoArray(y, y7);
    h1.intoArray(y, y7 + L);
  }

  /** The first four rows of a tile: for tiles that are half empty. */
  static void half(
      int[] x,
      int xo,
      float[] w,
      int wo,
      int kc,
      boolean add,
      float[] in,
      int io,
      int ldi,
      float[] y,
      int yo,
      int ldy) {
    FloatVector a0, a1, b0, b1, c0, c1, d0, d1;
    if (add) {
      int i1 = io + ldi, i2 = i1 + ldi, i3 = i2 + ldi;
      a0 = FloatVector.fromArray(F, in, io);
      a1 = FloatVector.fromArray(F, in, io + L);
      b0 = FloatVector.fromArray(F, in, i1);
      b1 = FloatVector.fromArray(F, in, i1 + L);
      c0 = FloatVector.fromArray(F, in, i2);
      c1 = FloatVector.fromArray(F, in, i2 + L);
      d0 = FloatVector.fromArray(F, in, i3);
      d1 = FloatVector.fromArray(F, in, i3 + L);
    } else {
      a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = FloatVector.zero(F);
    }
    for (int k = 0; k < kc; k++) {
      int p = xo + k * ROWS, q = wo + k * COLUMNS;
      FloatVector w0 = FloatVector.fromArray(F, w, q), w1 = FloatVector.fromArray(F, w, q + L), v;
      v = IntVector.broadcast(I, x[p]).reinterpretAsFloats();
      a0 = v.fma(w0, a0);
      a1 = v.fma(w1, a1);
      v = IntVector.broadcast(I, x[p + 1]).reinterpretAsFloats();
      b0 = v.fma(w0, b0);
      b1 = v.fma(w1, b1);
      v = IntVector.broadcast(I, x[p + 2]).reinterpretAsFloats();
      c0 = v.fma(w0, c0);
      c1 = v.fma(w1, c1);
      v = IntVector.broadcast(I, x[p + 3]).reinterpretAsFloats();
      d0 = v.fma(w0, d0);
      d1 = v.fma(w1, d1);
    }
    int y1 = yo + ldy, y2 = y1 + ldy, y3 = y2 + ldy;
    a0.intoArray(y, yo);
    a1.intoArray(y, yo + L);
    b0.intoArray(y, y1);
    b1.intoArray(y, y1 + L);
    c0.intoArray(y, y2);
    c1.intoArray(y, y2 + L);
    d0.intoArray(y, y3);
    d1.intoArray(y, y3 + L);
  }

  /**
   * The first vector of a tile of eight rows: for panels that are at most half full. Eight sums are
   * just the chains that two multiply-adds a cycle need; with five rows it would not pay.
   */
  static void narrow8(
      int[] x,
      int xo,
      float[] w,
      int wo,
      int kc,
      boolean add,
      float[] in,
      int io,
      int ldi,
      float[] y,
      int yo,
      int ldy) {
    FloatVector a0, b0, c0, d0, e0, f0, g0, h0;
    if (add) {
      a0 = FloatVector.fromArray(F, in, io);
      b0 = FloatVector.fromArray(F, in, io + ldi);
      c0 = FloatVector.fromArray(F, in, io + 2 * ldi);
      d0 = FloatVector.fromArray(F, in, io + 3 * ldi);
      e0 = FloatVector.fromArray(F, in, io + 4 * ldi);
      f0 = FloatVector.fromArray(F, in, io + 5 * ldi);
      g0 = FloatVector.fromArray(F, in, io + 6 * ldi);
      h0 = FloatVector.fromArray(F, in, io + 7 * ldi);
    } else {
      a0 = b0 = c0 = d0 = e0 = f0 = g0 = h0 = FloatVector.zero(F);
    }
    for (int k = 0; k < kc; k++) {
      int p = xo + k * 8;
      FloatVector w0 = FloatVector.fromArray(F, w, wo + k * COLUMNS), v;
      v = IntVector.broadcast(I, x[p]).reinterpretAsFloats();
      a0 = v.fma(w0, a0);
      v = IntVector.broadcast(I, x[p + 1]).reinterpretAsFloats();
      b0 = v.fma(w0, b0);
      v = IntVector.broadcast(I, x[p + 2]).reinterpretAsFloats();
      c0 = v.fma(w0, c0);
      v = IntVector.broadcast(I, x[p + 3]).reinterpretAsFloats();
      d0 = v.fma(w0, d0);
      v = IntVector.broadcast(I, x[p + 4]).reinterpretAsFloats();
      e0 = v.fma(w0, e0);
      v = IntVector.broadcast(I, x[p + 5]).reinterpretAsFloats();
      f0 = v.fma(w0, f0);
      v = IntVector.broadcast(I, x[p + 6]).reinterpretAsFloats();
      g0 = v.fma(w0, g0);
      v = IntVector.broadcast(I, x[p + 7]).reinterpretAsFloats();
      h0 = v.fma(w0, h0);
    }
    a0.intoArray(y, yo);
    b0.intoArray(y, yo + ldy);
    c0.intoArray(y, yo + 2 * ldy);
    d0.intoArray(y, yo + 3 * ldy);
    e0.intoArray(y, yo + 4 * ldy);
    f0.intoArray(y, yo + 5 * ldy);
    g0.intoArray(y, yo + 6 * ldy);
    h0.intoArray(y, yo + 7 * ldy);
  }

  /**
   * One row of a tile times four panels, for one or two tokens: a chain of multiply-adds takes four
   * cycles per step, so it needs eight chains, and one panel has but two.
   *
   * @param sums [4][COLUMNS], read and written
   */
  static void row(
      int[] x, int xo, float[] w, int w0, int w1, int w2, int w3, int kc, float[] sums, int at) {
    FloatVector a0 = FloatVector.fromArray(F, sums, at);
    FloatVector a1 = FloatVector.fromArray(F, sums, at + L);
    FloatVector b0 = FloatVector.fromArray(F, sums, at + 2 * L);
    FloatVector b1 = FloatVector.fromArray(F, sums, at + 3 * L);
    FloatVector c0 = FloatVector.fromArray(F, sums, at + 4 * L);
    FloatVector c1 = FloatVector.fromArray(F, sums, at + 5 * L);
    FloatVector d0 = FloatVector.fromArray(F, sums, at + 6 * L);
    FloatVector d1 = FloatVector.fromArray(F, sums, at + 7 * L);
    for (int k = 0; k < kc; k++) {
      int q = k * COLUMNS;
      FloatVector v = IntVector.broadcast(I, x[xo + k * ROWS]).reinterpretAsFloats();
      a0 = v.fma(FloatVector.fromArray(F, w, w0 + q), a0);
      a1 = v.fma(FloatVector.fromArray(F, w, w0 + q + L), a1);
      b0 = v.fma(FloatVector.fromArray(F, w, w1 + q), b0);
      b1 = v.fma(FloatVector.fromArray(F, w, w1 + q + L), b1);
      c0 = v.fma(FloatVector.fromArray(F, w, w2 + q), c0);
      c1 = v.fma(FloatVector.fromArray(F, w, w2 + q + L), c1);
      d0 = v.fma(FloatVector.fromArray(F, w, w3 + q), d0);
      d1 = v.fma(FloatVector.fromArray(F, w, w3 + q + L), d1);
    }
    a0.intoArray(sums, at);
    a1.intoArray(sums, at + L);
    b0.intoArray(sums, at + 2 * L);
    b1.intoArray(sums, at + 3 * L);
    c0.intoArray(sums, at + 4 * L);
    c1.intoArray(sums, at + 5 * L);
    d0.intoArray(sums, at + 6 * L);
    d1.intoArray(sums, at + 7 * L);
  }
}
