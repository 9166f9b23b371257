package io.mola.cuda;

import io.mola.core.backend.Dropout;
import io.mola.cuda.driver.Launch;

/** The mask of {@link Dropout}, four elements to a thread as they share a counter. */
final class DropoutKernels {
  private static final String GROUP = "adapter";
  private static final int QUAD = 4;

  private DropoutKernels() {}

  /** {@code to = x ⊙ D}. */
  static void drop(Workbench bench, CudaTensor x, long to, Dropout dropout) {
    run(bench.kernel(GROUP, "drop").i64(x.address()).i64(to), x, dropout);
  }

  /** {@code sum += x ⊙ D}, x of the shape and type of the sum. */
  static void addDropped(Workbench bench, long x, CudaTensor sum, Dropout dropout) {
    run(bench.kernel(GROUP, "add_dropped").i64(x).i64(sum.address()), sum, dropout);
  }

  private static void run(Launch launch, CudaTensor shape, Dropout dropout) {
    long first = dropout.firstRow() * shape.cols();
    launch
        .varyingI64(first)
        .i64(shape.size())
        .i64(dropout.seed())
        .varyingI64(dropout.step())
        .i32(dropout.stream())
        .i32(dropout.threshold())
        .f32(dropout.keptScale());
    // whatever the first element is, so that the grid does not change with it
    long quads = (shape.size() + QUAD - 1) / QUAD + 1;
    Workbench.runEach(launch, quads);
  }
}
