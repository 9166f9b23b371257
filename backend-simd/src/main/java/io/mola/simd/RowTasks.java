package io.mola.simd;

import io.mola.simd.work.Stage;
import io.mola.simd.work.Task;
import io.mola.simd.work.WorkerPool;

/** Loops whose iterations do not depend on each other, cut into tasks of fixed size. */
final class RowTasks {
  private RowTasks() {}

  /** Runs {@code row} for 0 .. rows - 1. */
  static void run(WorkerPool pool, int rows, int rowsPerTask, Task row) {
    pool.run(stage(rows, rowsPerTask, row));
  }

  /** The tasks of the same. */
  static Stage stage(int rows, int rowsPerTask, Task row) {
    return new RowStage(rows, rowsPerTask, row);
  }

  private record RowStage(int rows, int rowsPerTask, Task row) implements Stage {
    @Override
    public int count() {
      return (rows + rowsPerTask - 1) / rowsPerTask;
    }

    @Override
    public void run(int task, int worker) {
      int end = Math.min(rows, (task + 1) * rowsPerTask);
      for (int i = task * rowsPerTask; i < end; i++) {
        row.run(i, worker);
      }
    }
  }
}
