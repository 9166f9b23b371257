package io.mola.simd.tiles;

import io.mola.simd.lanes.Transposition;
import io.mola.simd.work.Stage;
import io.mola.simd.work.Workspace;
import java.util.Arrays;

/** Panels of float32: of adapters, packed anew for each operation, and of F32 weights. */
public final class FloatPanels extends Panels implements RowMultiplier {
  /** Columns of w that a task turns: what it writes stays in the inner cache. */
  private static final int COLUMNS_PER_TASK = 128;

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

  /** Fills the panels with wᵀ, w [n, k] row-major at {@code wo}; a task is a run of columns. */
  public Stage fromRows(float[] w, int wo) {
    int runs = PackedActivations.ceiling(k(), COLUMNS_PER_TASK);
    return Stage.of(
        count() * runs,
        (task, worker) -> {
          int panel = task / runs;
          int k0 = task % runs * COLUMNS_PER_TASK;
          int kc = Math.min(COLUMNS_PER_TASK, k() - k0);
          int first = panel * COLUMNS;
          int rows = Math.min(COLUMNS, n() - first);
          int to = base + (panel * k() + k0) * COLUMNS;
          Transposition.run(w, wo + first * k() + k0, k(), rows, kc, 1f, data, to, COLUMNS);
          if (rows < COLUMNS) {
            for (int i = 0; i < kc; i++) {
              Arrays.fill(data, to + i * COLUMNS + rows, to + (i + 1) * COLUMNS, 0f);
            }
          }
        });
  }

  /** Output row of a frozen matrix, for the forward direction. */
  void putOutput(int row, float[] values) {
    int to = base + row / COLUMNS * COLUMNS * k() + row % COLUMNS;
    for (int i = 0; i < k(); i++) {
      data[to + i * COLUMNS] = values[i];
    }
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
  RowMultiplier rowMultiplier() {
    return this;
  }

  @Override
  public void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums) {
    int a = base + first * k() * COLUMNS;
    int b = base + second * k() * COLUMNS;
    RowKernel.floats(data, a, b, k(), x, xo, sums);
  }

  @Override
  public long bytes() {
    return 4L * data.length;
  }
}
