package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Row-major x [k, n] in place: a product runs over its rows, and a strip of COLUMNS columns is
 * copied per block. For gradients, which sum over tokens, and for the second factor of an adapter.
 */
public final class Strips extends Panels {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  private final float[] x;
  private final int offset;
  private final int ld;

  /** x [k, n] at {@code offset}, rows {@code ld} apart. */
  public Strips(float[] x, int offset, int ld, int k, int n) {
    super(k, n);
    this.x = x;
    this.offset = offset;
    this.ld = ld;
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int from = offset + k0 * ld + panel * COLUMNS;
    copy(x, from, ld, kc, Math.min(COLUMNS, n() - panel * COLUMNS), to, at);
    return at;
  }

  /** {@code kc} rows of {@code columns} floats become rows of COLUMNS, the rest zero. */
  static void copy(float[] x, int from, int ld, int kc, int columns, float[] to, int at) {
    if (columns == COLUMNS) {
      for (int i = 0; i < kc; i++) {
        FloatVector.fromArray(F, x, from + i * ld).intoArray(to, at + i * COLUMNS);
        FloatVector.fromArray(F, x, from + i * ld + L).intoArray(to, at + i * COLUMNS + L);
      }
    } else {
      for (int i = 0; i < kc; i++) {
        System.arraycopy(x, from + i * ld, to, at + i * COLUMNS, columns);
        for (int j = columns; j < COLUMNS; j++) {
          to[at + i * COLUMNS + j] = 0f;
        }
      }
    }
  }
}
