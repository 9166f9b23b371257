package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * 4-bit weights, backward: a byte holds inputs j (low) and j + LANES (high) of one row of a panel,
 * {@code [k][LANES]}; scales and minima {@code [n/32][k]}, shared by the panels of a sub-block.
 */
final class NibbleBackwardPanels extends CodedPanels {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int BLOCK = 32;

  NibbleBackwardPanels(int k, int n) {
    super(k, n, FloatPanels.size(k, n) / 2, (long) (n / BLOCK) * k);
  }

  @Override
  void put(int row, byte[] q, float[] scale, float[] minimum) {
    for (int panel = 0; panel < count(); panel++) {
      int at = (panel * k() + row) * L;
      int from = panel * COLUMNS;
      for (int j = 0; j < L; j++) {
        codes[at + j] = (byte) (q[from + j] | q[from + j + L] << 4);
      }
    }
    for (int b = 0; b < n() / BLOCK; b++) {
      scales[b * k() + row] = scale[b];
      minima[b * k() + row] = minimum[b];
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int s = panel * COLUMNS / BLOCK * k() + k0;
    widen(codes, (panel * k() + k0) * L, scales, minima, s, kc, to, at);
    return at;
  }

  private static void widen(
      byte[] q, int qo, float[] scale, float[] min, int so, int kc, float[] to, int at) {
    for (int i = 0; i < kc; i++) {
      FloatVector s = FloatVector.broadcast(F, scale[so + i]);
      FloatVector m = FloatVector.broadcast(F, min[so + i]);
      IntVector v =
          (IntVector)
              ByteVector.fromArray(B, q, qo + i * L)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      int d = at + i * COLUMNS;
      ((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(s, m).intoArray(to, d);
      ((FloatVector) v.lanewise(VectorOperators.LSHR, 4).convert(VectorOperators.I2F, 0))
          .fma(s, m)
          .intoArray(to, d + L);
    }
  }
}
