package io.mola.simd.tiles;

import io.mola.simd.work.Stage;
import java.util.Objects;

/**
 * {@code y = x · w} for one row of x, which is read as it lies: generation, token by token. Each
 * output is summed by one task in the order of k, with the bits of {@link Product}.
 */
public final class RowProduct implements Stage {
  /** Tasks for each worker, if there are so many: enough to even out who starts late. */
  private static final int TASKS_PER_WORKER = 8;

  private static final int OUTPUTS = RowKernel.PANELS * MicroKernel.COLUMNS;

  private final WorkerScratch[] scratch;
  private final float[] x;
  private final int xo;
  private final Panels w;
  private final RowMultiplier multiplier;
  private final float[] y;
  private final int yo;
  private final int pairs;
  private final int pairsPerTask;

  private RowProduct(WorkerScratch[] scratch, float[] x, int xo, Panels w, float[] y, int yo) {
    this.scratch = scratch;
    this.x = x;
    this.xo = xo;
    this.w = w;
    this.multiplier = Objects.requireNonNull(w.rowMultiplier());
    this.y = y;
    this.yo = yo;
    this.pairs = PackedActivations.ceiling(w.count(), RowKernel.PANELS);
    this.pairsPerTask = Math.max(1, pairs / (TASKS_PER_WORKER * scratch.length));
  }

  /** Whether {@link #of} can read these panels. */
  public static boolean reads(Panels... weights) {
    for (Panels w : weights) {
      if (w.rowMultiplier() == null) {
        return false;
      }
    }
    return true;
  }

  /**
   * The tasks of a product.
   *
   * @param x [k] at {@code xo}
   * @param w panels that {@link #reads} accepts
   * @param y [n] at {@code yo}
   */
  public static Stage of(Workbench bench, float[] x, int xo, Panels w, float[] y, int yo) {
    return new RowProduct(bench.scratch(), x, xo, w, y, yo);
  }

  @Override
  public int count() {
    return PackedActivations.ceiling(pairs, pairsPerTask);
  }

  @Override
  public void run(int task, int worker) {
    WorkerScratch s = scratch[worker];
    float[] sums = s.sums(OUTPUTS);
    int end = Math.min(pairs, (task + 1) * pairsPerTask);
    for (int pair = task * pairsPerTask; pair < end; pair++) {
      int first = pair * RowKernel.PANELS;
      int second = Math.min(first + 1, w.count() - 1);
      multiplier.row(first, second, x, xo, s, sums);
      int at = pair * OUTPUTS;
      System.arraycopy(sums, 0, y, yo + at, Math.min(OUTPUTS, w.n() - at));
    }
  }
}
