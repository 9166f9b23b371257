package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * Row-major x [k, n] in place: a product runs over its rows, and strips of COLUMNS columns are
 * copied per block. For gradients, which sum over tokens, and for the second factor of an adapter.
 *
 * <p>Rows are often pages apart, so that the processor foresees nothing: some strips are copied at
 * once, which makes a row's part as long as it pays to fetch.
 */
public final class Strips extends Panels {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  /** Strips that are copied at once. */
  private static final int TOGETHER = 4;

  private final float[] x;
  private final int offset;
  private final int ld;
  private final @Nullable Mask mask;

  /** x [k, n] at {@code offset}, rows {@code ld} apart. */
  public Strips(float[] x, int offset, int ld, int k, int n) {
    this(x, offset, ld, k, n, null);
  }

  /** x ⊙ D. */
  public Strips(float[] x, int offset, int ld, int k, int n, @Nullable Mask mask) {
    super(k, n);
    this.mask = mask;
    this.x = x;
    this.offset = offset;
    this.ld = ld;
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    int first = panel / TOGETHER * TOGETHER;
    long key = (long) k0 << 32 | first;
    if (!scratch.holdsGroup(this, key)) {
      float[] to = scratch.group(TOGETHER * kc * COLUMNS);
      int from = offset + k0 * ld + first * COLUMNS;
      int columns = n() - first * COLUMNS;
      if (columns >= TOGETHER * COLUMNS) {
        copyTogether(x, from, ld, kc, to);
      } else {
        for (int i = 0; i * COLUMNS < columns; i++) {
          int width = Math.min(COLUMNS, columns - i * COLUMNS);
          copy(x, from + i * COLUMNS, ld, kc, width, to, i * kc * COLUMNS);
        }
      }
      for (int i = 0; mask != null && i < TOGETHER && i * COLUMNS < columns; i++) {
        mask.apply(to, i * kc * COLUMNS, k0, kc, first + i);
      }
      scratch.keepGroup(this, key);
    }
    return (panel - first) * kc * COLUMNS;
  }

  @Override
  float[] array(WorkerScratch scratch) {
    return scratch.group();
  }

  @Override
  int together() {
    return TOGETHER;
  }

  /** {@code kc} rows of whole strips, each strip to a block of its own. */
  private static void copyTogether(float[] x, int from, int ld, int kc, float[] to) {
    int block = kc * COLUMNS;
    for (int i = 0; i < kc; i++) {
      int p = from + i * ld;
      int q = i * COLUMNS;
      for (int strip = 0; strip < TOGETHER; strip++) {
        FloatVector.fromArray(F, x, p).intoArray(to, q);
        FloatVector.fromArray(F, x, p + L).intoArray(to, q + L);
        p += COLUMNS;
        q += block;
      }
    }
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
