package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * 5-, 6- and 8-bit weights, backward: a byte per weight, {@code [k][COLUMNS]}; scales and minima
 * {@code [n/block][k]}. A vector lies in one sub-block, the two vectors of a panel perhaps in two.
 */
final class ByteBackwardPanels extends CodedPanels {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;

  private final int block;

  /**
   * Panels [k, n].
   *
   * @param block outputs that share a scale
   */
  ByteBackwardPanels(int k, int n, int block) {
    super(k, n, FloatPanels.size(k, n), (long) (n / block) * k);
    this.block = block;
  }

  @Override
  void put(int row, byte[] q, float[] scale, float[] minimum) {
    for (int panel = 0; panel < count(); panel++) {
      System.arraycopy(q, panel * COLUMNS, codes, (panel * k() + row) * COLUMNS, COLUMNS);
    }
    for (int b = 0; b < n() / block; b++) {
      scales[b * k() + row] = scale[b];
      minima[b * k() + row] = minimum[b];
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int s0 = panel * COLUMNS / block * k() + k0;
    int s1 = (panel * COLUMNS + L) / block * k() + k0;
    widen(codes, (panel * k() + k0) * COLUMNS, scales, minima, s0, s1, kc, to, at);
    return at;
  }

  private static void widen(
      byte[] q, int qo, float[] scale, float[] min, int so, int s1, int kc, float[] to, int at) {
    for (int i = 0; i < kc; i++) {
      int p = qo + i * COLUMNS;
      int d = at + i * COLUMNS;
      ((FloatVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2F, F, 0))
          .fma(FloatVector.broadcast(F, scale[so + i]), FloatVector.broadcast(F, min[so + i]))
          .intoArray(to, d);
      ((FloatVector) ByteVector.fromArray(B, q, p + L).convertShape(VectorOperators.B2F, F, 0))
          .fma(FloatVector.broadcast(F, scale[s1 + i]), FloatVector.broadcast(F, min[s1 + i]))
          .intoArray(to, d + L);
    }
  }
}
