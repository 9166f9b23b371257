package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/** Panels of 16-bit floats as the file has them, {@code [k][COLUMNS]}; widening is exact. */
final class HalfPanels extends Panels implements RowMultiplier {
  private static final VectorSpecies<Short> S = VectorWidth.SHORT;
  private static final VectorSpecies<Integer> I = VectorWidth.INT;
  private static final int L = VectorWidth.LANES;

  private final short[] data;
  private final boolean brain;

  /**
   * Panels [k, n].
   *
   * @param brain BF16, else IEEE half
   */
  HalfPanels(int k, int n, boolean brain) {
    super(k, n);
    this.data = new short[Math.toIntExact(FloatPanels.size(k, n))];
    this.brain = brain;
  }

  private short code(float value) {
    return brain ? (short) (Float.floatToRawIntBits(value) >>> 16) : Float.floatToFloat16(value);
  }

  /** Output row of a frozen matrix, for the forward direction. */
  void putOutput(int row, float[] values) {
    int to = row / COLUMNS * COLUMNS * k() + row % COLUMNS;
    for (int i = 0; i < k(); i++) {
      data[to + i * COLUMNS] = code(values[i]);
    }
  }

  /** Output row of a frozen matrix, for the backward direction: row {@code o} of the sum. */
  void putSummand(int o, float[] values) {
    for (int i = 0; i < n(); i++) {
      data[(i / COLUMNS * k() + o) * COLUMNS + i % COLUMNS] = code(values[i]);
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    int count = kc * COLUMNS;
    float[] to = scratch.panel(room * count);
    int at = slot * count;
    int from = (panel * k() + k0) * COLUMNS;
    if (brain) {
      widenBrain(data, from, count, to, at);
    } else {
      widenHalf(data, from, count, to, at);
    }
    return at;
  }

  private static void widenBrain(short[] s, int from, int count, float[] to, int at) {
    for (int i = 0; i < count; i += L) {
      ((IntVector)
              ShortVector.fromArray(S, s, from + i)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0))
          .lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoArray(to, at + i);
    }
  }

  /** The compiler makes vector conversions of this loop. */
  private static void widenHalf(short[] s, int from, int count, float[] to, int at) {
    for (int i = 0; i < count; i++) {
      to[at + i] = Float.float16ToFloat(s[from + i]);
    }
  }

  @Override
  @Nullable RowMultiplier rowMultiplier() {
    return brain ? this : null;
  }

  @Override
  public void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums) {
    RowKernel.brain(data, first * k() * COLUMNS, second * k() * COLUMNS, k(), x, xo, sums);
  }

  @Override
  public long bytes() {
    return 2L * data.length;
  }
}
