package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * 4-bit weights, forward: a byte holds inputs k (low) and k + 1 (high) of one output, {@code
 * [k/2][COLUMNS]}; scales and minima {@code [k/32][COLUMNS]}.
 */
final class NibbleForwardPanels extends CodedPanels implements RowMultiplier {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int BLOCK = 32;

  NibbleForwardPanels(int k, int n) {
    super(k, n, FloatPanels.size(k, n) / 2, FloatPanels.size(k, n) / BLOCK);
  }

  @Override
  void put(int row, byte[] q, float[] scale, float[] minimum) {
    int panel = row / COLUMNS;
    int at = panel * (k() / 2) * COLUMNS + row % COLUMNS;
    for (int i = 0; i < k() / 2; i++) {
      codes[at + i * COLUMNS] = (byte) (q[2 * i] | q[2 * i + 1] << 4);
    }
    int block = panel * (k() / BLOCK) * COLUMNS + row % COLUMNS;
    for (int b = 0; b < k() / BLOCK; b++) {
      scales[block + b * COLUMNS] = scale[b];
      minima[block + b * COLUMNS] = minimum[b];
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int first = panel * k() + k0;
    widen(codes, first / 2 * COLUMNS, scales, minima, first / BLOCK * COLUMNS, kc, to, at);
    return at;
  }

  @Override
  RowMultiplier rowMultiplier() {
    return this;
  }

  @Override
  public void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums) {
    int blocks = k() / BLOCK;
    int qa = first * (k() / 2) * COLUMNS;
    int qb = second * (k() / 2) * COLUMNS;
    int sa = first * blocks * COLUMNS;
    int sb = second * blocks * COLUMNS;
    RowKernel.nibbles(codes, qa, qb, scales, minima, sa, sb, blocks, BLOCK / 2, x, xo, sums);
  }

  private static void widen(
      byte[] q, int qo, float[] scale, float[] min, int so, int kc, float[] to, int at) {
    for (int b = 0; b < kc / BLOCK; b++) {
      int s = so + b * COLUMNS;
      FloatVector s0 = FloatVector.fromArray(F, scale, s);
      FloatVector s1 = FloatVector.fromArray(F, scale, s + L);
      FloatVector m0 = FloatVector.fromArray(F, min, s);
      FloatVector m1 = FloatVector.fromArray(F, min, s + L);
      for (int i = b * (BLOCK / 2); i < (b + 1) * (BLOCK / 2); i++) {
        int p = qo + i * COLUMNS;
        int d = at + 2 * i * COLUMNS;
        IntVector v0 =
            (IntVector)
                ByteVector.fromArray(B, q, p).convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        IntVector v1 =
            (IntVector)
                ByteVector.fromArray(B, q, p + L)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        ((FloatVector) v0.and(15).convert(VectorOperators.I2F, 0)).fma(s0, m0).intoArray(to, d);
        ((FloatVector) v1.and(15).convert(VectorOperators.I2F, 0)).fma(s1, m1).intoArray(to, d + L);
        ((FloatVector) v0.lanewise(VectorOperators.LSHR, 4).convert(VectorOperators.I2F, 0))
            .fma(s0, m0)
            .intoArray(to, d + COLUMNS);
        ((FloatVector) v1.lanewise(VectorOperators.LSHR, 4).convert(VectorOperators.I2F, 0))
            .fma(s1, m1)
            .intoArray(to, d + COLUMNS + L);
      }
    }
  }
}
