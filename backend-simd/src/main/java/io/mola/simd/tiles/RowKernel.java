package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * One row times two panels of quantised weights, {@code sums[2][COLUMNS] = x[k] ·
 * w[k][2][COLUMNS]}: what generation does token by token. There a weight is used once, so it is
 * widened in registers and never written; a token is then bound by reading the codes.
 *
 * <p>A weight is {@code q · scale + minimum} in one rounding and an output one chain of fused
 * multiply-adds in the order of k, as in {@link MicroKernel}: the bits are those of a product with
 * many rows. Two panels at once make four chains, enough beside the widening, and leave their
 * scales and minima in registers.
 */
final class RowKernel {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Short> S = VectorWidth.SHORT;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;
  private static final int COLUMNS = MicroKernel.COLUMNS;

  /** Panels that are multiplied at once. */
  static final int PANELS = 2;

  private RowKernel() {}

  /**
   * Weights of four bits, two inputs a byte.
   *
   * @param q codes of the panels at {@code qa} and {@code qb}, [k/2][COLUMNS] each
   * @param scale at {@code sa} and {@code sb}, [blocks][COLUMNS] each; {@code min} likewise
   * @param half bytes of an output that share a scale: half its inputs
   */
  static void nibbles(
      byte[] q,
      int qa,
      int qb,
      float[] scale,
      float[] min,
      int sa,
      int sb,
      int blocks,
      int half,
      float[] x,
      int xo,
      float[] sums) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    for (int block = 0; block < blocks; block++) {
      int s = sa + block * COLUMNS;
      int t = sb + block * COLUMNS;
      FloatVector sa0 = FloatVector.fromArray(F, scale, s);
      FloatVector sa1 = FloatVector.fromArray(F, scale, s + L);
      FloatVector sb0 = FloatVector.fromArray(F, scale, t);
      FloatVector sb1 = FloatVector.fromArray(F, scale, t + L);
      FloatVector ma0 = FloatVector.fromArray(F, min, s);
      FloatVector ma1 = FloatVector.fromArray(F, min, s + L);
      FloatVector mb0 = FloatVector.fromArray(F, min, t);
      FloatVector mb1 = FloatVector.fromArray(F, min, t + L);
      for (int i = block * half; i < (block + 1) * half; i++) {
        FloatVector even = FloatVector.broadcast(F, x[xo + 2 * i]);
        FloatVector odd = FloatVector.broadcast(F, x[xo + 2 * i + 1]);
        int p = qa + i * COLUMNS;
        int r = qb + i * COLUMNS;
        IntVector v;
        v =
            (IntVector)
                ByteVector.fromArray(B, q, p).convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        a0 = even.fma(((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(sa0, ma0), a0);
        v = v.lanewise(VectorOperators.LSHR, 4);
        a0 = odd.fma(((FloatVector) v.convert(VectorOperators.I2F, 0)).fma(sa0, ma0), a0);
        v =
            (IntVector)
                ByteVector.fromArray(B, q, p + L)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        a1 = even.fma(((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(sa1, ma1), a1);
        v = v.lanewise(VectorOperators.LSHR, 4);
        a1 = odd.fma(((FloatVector) v.convert(VectorOperators.I2F, 0)).fma(sa1, ma1), a1);
        v =
            (IntVector)
                ByteVector.fromArray(B, q, r).convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        b0 = even.fma(((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(sb0, mb0), b0);
        v = v.lanewise(VectorOperators.LSHR, 4);
        b0 = odd.fma(((FloatVector) v.convert(VectorOperators.I2F, 0)).fma(sb0, mb0), b0);
        v =
            (IntVector)
                ByteVector.fromArray(B, q, r + L)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        b1 = even.fma(((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(sb1, mb1), b1);
        v = v.lanewise(VectorOperators.LSHR, 4);
        b1 = odd.fma(((FloatVector) v.convert(VectorOperators.I2F, 0)).fma(sb1, mb1), b1);
      }
    }
    a0.intoArray(sums, 0);
    a1.intoArray(sums, L);
    b0.intoArray(sums, 2 * L);
    b1.intoArray(sums, 3 * L);
  }

  /**
   * Weights of a byte each.
   *
   * @param q codes of the panels at {@code qa} and {@code qb}, [k][COLUMNS] each
   * @param scale at {@code sa} and {@code sb}, [blocks][COLUMNS] each; {@code min} likewise
   * @param length inputs that share a scale
   */
  static void bytes(
      byte[] q,
      int qa,
      int qb,
      float[] scale,
      float[] min,
      int sa,
      int sb,
      int blocks,
      int length,
      float[] x,
      int xo,
      float[] sums) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    for (int block = 0; block < blocks; block++) {
      int s = sa + block * COLUMNS;
      int t = sb + block * COLUMNS;
      FloatVector sa0 = FloatVector.fromArray(F, scale, s);
      FloatVector sa1 = FloatVector.fromArray(F, scale, s + L);
      FloatVector sb0 = FloatVector.fromArray(F, scale, t);
      FloatVector sb1 = FloatVector.fromArray(F, scale, t + L);
      FloatVector ma0 = FloatVector.fromArray(F, min, s);
      FloatVector ma1 = FloatVector.fromArray(F, min, s + L);
      FloatVector mb0 = FloatVector.fromArray(F, min, t);
      FloatVector mb1 = FloatVector.fromArray(F, min, t + L);
      for (int i = block * length; i < (block + 1) * length; i++) {
        FloatVector v = FloatVector.broadcast(F, x[xo + i]);
        int p = qa + i * COLUMNS;
        int r = qb + i * COLUMNS;
        FloatVector w;
        w = (FloatVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2F, F, 0);
        a0 = v.fma(w.fma(sa0, ma0), a0);
        w = (FloatVector) ByteVector.fromArray(B, q, p + L).convertShape(VectorOperators.B2F, F, 0);
        a1 = v.fma(w.fma(sa1, ma1), a1);
        w = (FloatVector) ByteVector.fromArray(B, q, r).convertShape(VectorOperators.B2F, F, 0);
        b0 = v.fma(w.fma(sb0, mb0), b0);
        w = (FloatVector) ByteVector.fromArray(B, q, r + L).convertShape(VectorOperators.B2F, F, 0);
        b1 = v.fma(w.fma(sb1, mb1), b1);
      }
    }
    a0.intoArray(sums, 0);
    a1.intoArray(sums, L);
    b0.intoArray(sums, 2 * L);
    b1.intoArray(sums, 3 * L);
  }

  /** The same without minima: eight bits with a sign. */
  static void signedBytes(
      byte[] q,
      int qa,
      int qb,
      float[] scale,
      int sa,
      int sb,
      int blocks,
      int length,
      float[] x,
      int xo,
      float[] sums) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    for (int block = 0; block < blocks; block++) {
      int s = sa + block * COLUMNS;
      int t = sb + block * COLUMNS;
      FloatVector sa0 = FloatVector.fromArray(F, scale, s);
      FloatVector sa1 = FloatVector.fromArray(F, scale, s + L);
      FloatVector sb0 = FloatVector.fromArray(F, scale, t);
      FloatVector sb1 = FloatVector.fromArray(F, scale, t + L);
      for (int i = block * length; i < (block + 1) * length; i++) {
        FloatVector v = FloatVector.broadcast(F, x[xo + i]);
        int p = qa + i * COLUMNS;
        int r = qb + i * COLUMNS;
        FloatVector w;
        w = (FloatVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2F, F, 0);
        a0 = v.fma(w.mul(sa0), a0);
        w = (FloatVector) ByteVector.fromArray(B, q, p + L).convertShape(VectorOperators.B2F, F, 0);
        a1 = v.fma(w.mul(sa1), a1);
        w = (FloatVector) ByteVector.fromArray(B, q, r).convertShape(VectorOperators.B2F, F, 0);
        b0 = v.fma(w.mul(sb0), b0);
        w = (FloatVector) ByteVector.fromArray(B, q, r + L).convertShape(VectorOperators.B2F, F, 0);
        b1 = v.fma(w.mul(sb1), b1);
      }
    }
    a0.intoArray(sums, 0);
    a1.intoArray(sums, L);
    b0.intoArray(sums, 2 * L);
    b1.intoArray(sums, 3 * L);
  }

  /**
   * Weights of float32.
   *
   * @param w panels at {@code wa} and {@code wb}, [k][COLUMNS] each
   */
  static void floats(float[] w, int wa, int wb, int k, float[] x, int xo, float[] sums) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    for (int i = 0; i < k; i++) {
      FloatVector v = FloatVector.broadcast(F, x[xo + i]);
      int p = wa + i * COLUMNS;
      int r = wb + i * COLUMNS;
      a0 = v.fma(FloatVector.fromArray(F, w, p), a0);
      a1 = v.fma(FloatVector.fromArray(F, w, p + L), a1);
      b0 = v.fma(FloatVector.fromArray(F, w, r), b0);
      b1 = v.fma(FloatVector.fromArray(F, w, r + L), b1);
    }
    a0.intoArray(sums, 0);
    a1.intoArray(sums, L);
    b0.intoArray(sums, 2 * L);
    b1.intoArray(sums, 3 * L);
  }

  /** The same for BF16, the upper halves of float32. */
  static void brain(short[] w, int wa, int wb, int k, float[] x, int xo, float[] sums) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = FloatVector.zero(F);
    FloatVector b0 = FloatVector.zero(F);
    FloatVector b1 = FloatVector.zero(F);
    for (int i = 0; i < k; i++) {
      FloatVector v = FloatVector.broadcast(F, x[xo + i]);
      int p = wa + i * COLUMNS;
      int r = wb + i * COLUMNS;
      IntVector w0;
      w0 =
          (IntVector)
              ShortVector.fromArray(S, w, p).convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
      a0 = v.fma(w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), a0);
      w0 =
          (IntVector)
              ShortVector.fromArray(S, w, p + L)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
      a1 = v.fma(w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), a1);
      w0 =
          (IntVector)
              ShortVector.fromArray(S, w, r).convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
      b0 = v.fma(w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), b0);
      w0 =
          (IntVector)
              ShortVector.fromArray(S, w, r + L)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
      b1 = v.fma(w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), b1);
    }
    a0.intoArray(sums, 0);
    a1.intoArray(sums, L);
    b0.intoArray(sums, 2 * L);
    b1.intoArray(sums, 3 * L);
  }
}
