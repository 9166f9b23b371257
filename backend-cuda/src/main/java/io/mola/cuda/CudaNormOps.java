package io.mola.cuda;

import io.mola.core.backend.NormOps;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;

/** RMS norm: one block per row. */
final class CudaNormOps implements NormOps {
  private static final String GROUP = "norm";

  private final Workbench bench;

  CudaNormOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd) {
    bench.begin(() -> "norm.rmsForward of x " + x);
    CudaTensor input = CudaTensor.of(x, bench.activation());
    CudaTensor gains = CudaTensor.of(gain, Element.F32);
    CudaTensor output = CudaTensor.of(y, bench.activation());
    int d = x.cols();
    bench
        .kernel(GROUP, "rms_forward")
        .i64(input.address())
        .i64(gains.address())
        .f32(epsilon)
        .i64(output.address())
        .i64(CudaTensor.of(rstd, Element.F32).address())
        .i32(d)
        .flag(Workbench.whole(d, input.address(), gains.address(), output.address()))
        .run(x.rows(), threads(d));
  }

  @Override
  public void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx) {
    bench.begin(() -> "norm.rmsBackward of x " + x);
    CudaTensor dOutput = CudaTensor.of(dy, bench.activation());
    CudaTensor input = CudaTensor.of(x, bench.activation());
    CudaTensor gains = CudaTensor.of(gain, Element.F32);
    CudaTensor dInput = CudaTensor.of(dx, bench.activation());
    int d = x.cols();
    bench
        .kernel(GROUP, "rms_backward")
        .i64(dOutput.address())
        .i64(input.address())
        .i64(gains.address())
        .i64(CudaTensor.of(rstd, Element.F32).address())
        .i64(dInput.address())
        .i32(d)
        .flag(
            Workbench.whole(
                d, dOutput.address(), input.address(), gains.address(), dInput.address()))
        .run(x.rows(), threads(d));
  }

  private static int threads(int d) {
    return Workbench.threadsFor((d + Workbench.PACK - 1) / Workbench.PACK);
  }
}
