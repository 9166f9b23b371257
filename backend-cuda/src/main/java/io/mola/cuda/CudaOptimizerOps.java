package io.mola.cuda;

import io.mola.core.backend.OptimizerOps;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Launch;

/** Updates of trainable parameters. */
final class CudaOptimizerOps implements OptimizerOps {
  private static final String GROUP = "optimizer";

  /** NORM_CHUNK of optimizer.cu. */
  private static final int NORM_CHUNK = 8192;

  private static final int THREADS = 256;

  /** Enough for every multiprocessor; threads take further elements in strides of the grid. */
  private static final int MOST_BLOCKS = 2048;

  private final Workbench bench;

  CudaOptimizerOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step) {
    bench.begin(() -> "optimizer.adamW of parameter " + parameter);
    CudaTensor p = CudaTensor.of(parameter, Element.F32);
    strided(
        bench
            .kernel(GROUP, "adamw")
            .i64(p.address())
            .i64(address(gradient))
            .i64(address(m))
            .i64(address(v))
            .i64(p.size())
            .varyingF64(step.rate())
            .f64(step.beta1())
            .f64(step.beta2())
            .f64(step.epsilon())
            .f64(step.weightDecay())
            .varyingF64(1 - Math.pow(step.beta1(), step.t()))
            .varyingF64(1 - Math.pow(step.beta2(), step.t())),
        p.size());
  }

  @Override
  public void squaredNorm(Tensor gradient, Tensor sum) {
    bench.begin(() -> "optimizer.squaredNorm of gradient " + gradient);
    CudaTensor g = CudaTensor.of(gradient, Element.F32);
    long chunks = (g.size() + NORM_CHUNK - 1) / NORM_CHUNK;
    long partial = bench.workspace().take(chunks * Double.BYTES);
    bench.kernel(GROUP, "squares").i64(g.address()).i64(g.size()).i64(partial).run(chunks, THREADS);
    bench
        .kernel(GROUP, "add_partial_sums")
        .i64(partial)
        .i64(chunks)
        .i64(address(sum))
        .run(1, THREADS);
  }

  @Override
  public void clip(Tensor gradient, Tensor squaredNorm, float maxNorm) {
    bench.begin(() -> "optimizer.clip of gradient " + gradient);
    CudaTensor g = CudaTensor.of(gradient, Element.F32);
    strided(
        bench
            .kernel(GROUP, "clip")
            .i64(g.address())
            .i64(g.size())
            .i64(address(squaredNorm))
            .f32(maxNorm),
        g.size());
  }

  private static void strided(Launch launch, long size) {
    launch.run(Math.min(MOST_BLOCKS, (size + THREADS - 1) / THREADS), THREADS);
  }

  private static long address(Tensor tensor) {
    return CudaTensor.of(tensor, Element.F32).address();
  }
}
