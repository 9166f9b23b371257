package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * 5- and 6-bit weights, forward: a byte per weight, {@code [k][COLUMNS]}; scales and minima {@code
 * [k/block][COLUMNS]}.
 */
final class ByteForwardPanels extends CodedPanels implements RowMultiplier {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;

  private final int block;

  /**
   * Panels [k, n].
   *
   * @param block inputs that share a scale
   */
  ByteForwardPanels(int k, int n, int block) {
    super(k, n, FloatPanels.size(k, n), FloatPanels.size(k, n) / block);
    this.block = block;
  }

  @Override
  void put(int row, byte[] q, float[] scale, float[] minimum) {
    putOutput(row, q);
    int to = row / COLUMNS * (k() / block) * COLUMNS + row % COLUMNS;
    for (int b = 0; b < k() / block; b++) {
      scales[to + b * COLUMNS] = scale[b];
      minima[to + b * COLUMNS] = minimum[b];
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int first = panel * k() + k0;
    int s = first / block * COLUMNS;
    widen(codes, first * COLUMNS, scales, minima, s, block, kc, to, at);
    return at;
  }

  @Override
  RowMultiplier rowMultiplier() {
    return this;
  }

  @Override
  public void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums) {
    int blocks = k() / block;
    int qa = first * k() * COLUMNS;
    int qb = second * k() * COLUMNS;
    int sa = first * blocks * COLUMNS;
    int sb = second * blocks * COLUMNS;
    RowKernel.bytes(codes, qa, qb, scales, minima, sa, sb, blocks, block, x, xo, sums);
  }

  private static void widen(
      byte[] q, int qo, float[] scale, float[] min, int so, int block, int kc, float[] to, int at) {
    for (int b = 0; b < kc / block; b++) {
      int s = so + b * COLUMNS;
      FloatVector s0 = FloatVector.fromArray(F, scale, s);
      FloatVector s1 = FloatVector.fromArray(F, scale, s + L);
      FloatVector m0 = FloatVector.fromArray(F, min, s);
      FloatVector m1 = FloatVector.fromArray(F, min, s + L);
      for (int i = b * block; i < (b + 1) * block; i++) {
        int p = qo + i * COLUMNS;
        int d = at + i * COLUMNS;
        ((FloatVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2F, F, 0))
            .fma(s0, m0)
            .intoArray(to, d);
        ((FloatVector) ByteVector.fromArray(B, q, p + L).convertShape(VectorOperators.B2F, F, 0))
            .fma(s1, m1)
            .intoArray(to, d + L);
      }
    }
  }
}
