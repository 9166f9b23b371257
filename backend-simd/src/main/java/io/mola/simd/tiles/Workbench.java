package io.mola.simd.tiles;

import io.mola.simd.work.WorkerPool;
import io.mola.simd.work.Workspace;

/**
 * What every operation works with.
 *
 * @param pool threads
 * @param workspace memory of one operation
 * @param scratch memory of one task, by worker
 */
public record Workbench(WorkerPool pool, Workspace workspace, WorkerScratch[] scratch) {
  /** A workbench of that many workers. */
  public static Workbench of(int workers) {
    WorkerScratch[] scratch = new WorkerScratch[workers];
    for (int i = 0; i < workers; i++) {
      scratch[i] = new WorkerScratch();
    }
    return new Workbench(new WorkerPool(workers), new Workspace(), scratch);
  }
}
