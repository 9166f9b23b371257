package io.mola.simd.tiles;

import io.mola.simd.work.Stage;
import io.mola.simd.work.Workspace;
import org.jspecify.annotations.Nullable;

/** Panels of float32: of adapters, packed anew for each operation, and of F32 weights. */
public final class FloatPanels extends Panels {
  private final float[] data;
  private final int base;

  /** Panels [k, n] in the workspace. */
  public FloatPanels(Workspace workspace, int k, int n) {
    super(k, n);
    Workspace.Floats slab = workspace.floats(Math.toIntExact(size(k, n)));
    this.data = slab.data();
    this.base = slab.offset();
  }

  /** Panels [k, n] that stay. */
  FloatPanels(int k, int n) {
    super(k, n);
    this.data = new float[Math.toIntExact(size(k, n))];
    this.base = 0;
  }

  /** Floats of panels [k, n]. */
  public static long size(int k, int n) {
    return (long) count(n) * COLUMNS * k;
  }

  /** Fills the panels with wᵀ, w [n, k] row-major at {@code wo}. */
  public Stage fromRows(float[] w, int wo) {
    return Stage.of(
        count(),
        (panel, worker) -> {
          int first = panel * COLUMNS;
          for (int j = 0; j < COLUMNS; j++) {
            int row = first + j;
            putRow(row < n() ? w : null, wo + row * k(), panel, j);
          }
        });
  }

  private void putRow(float @Nullable [] w, int from, int panel, int j) {
    int to = base + panel * COLUMNS * k() + j;
    for (int i = 0; i < k(); i++) {
      data[to + i * COLUMNS] = w == null ? 0f : w[from + i];
    }
  }

  /** Output row of a frozen matrix, for the forward direction. */
  void putOutput(int row, float[] values) {
    putRow(values, 0, row / COLUMNS, row % COLUMNS);
  }

  /** Output row of a frozen matrix, for the backward direction: row {@code o} of the sum. */
  void putSummand(int o, float[] values) {
    for (int panel = 0; panel < count(); panel++) {
      int first = panel * COLUMNS;
      int to = (panel * k() + o) * COLUMNS;
      System.arraycopy(values, first, data, to, Math.min(COLUMNS, n() - first));
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    return base + (panel * k() + k0) * COLUMNS;
  }

  @Override
  float[] array(WorkerScratch scratch) {
    return data;
  }

  @Override
  public long bytes() {
    return 4L * data.length;
  }
}
