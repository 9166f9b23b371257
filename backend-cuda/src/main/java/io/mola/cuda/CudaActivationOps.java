package io.mola.cuda;

import io.mola.core.backend.ActivationOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;

/** Elementwise operations and movement of rows. */
final class CudaActivationOps implements ActivationOps {
  private static final String GROUP = "activation";

  private final Workbench bench;

  CudaActivationOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    bench.begin(() -> "activation.swigluForward of gate " + gate);
    CudaTensor g = CudaTensor.of(gate, bench.activation());
    CudaTensor u = CudaTensor.of(up, bench.activation());
    CudaTensor output = CudaTensor.of(y, bench.activation());
    Workbench.runPacked(
        bench
            .kernel(GROUP, "swiglu_forward")
            .i64(g.address())
            .i64(u.address())
            .i64(output.address())
            .i64(g.size())
            .flag(Workbench.aligned(g.address(), u.address(), output.address())),
        g.size());
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    bench.begin(() -> "activation.swigluBackward of gate " + gate);
    CudaTensor d = CudaTensor.of(dy, bench.activation());
    CudaTensor g = CudaTensor.of(gate, bench.activation());
    CudaTensor u = CudaTensor.of(up, bench.activation());
    CudaTensor toGate = CudaTensor.of(dGate, bench.activation());
    CudaTensor toUp = CudaTensor.of(dUp, bench.activation());
    Workbench.runPacked(
        bench
            .kernel(GROUP, "swiglu_backward")
            .i64(d.address())
            .i64(g.address())
            .i64(u.address())
            .i64(toGate.address())
            .i64(toUp.address())
            .i64(g.size())
            .flag(
                Workbench.aligned(
                    d.address(), g.address(), u.address(), toGate.address(), toUp.address())),
        g.size());
  }

  @Override
  public void add(Tensor x, Tensor y) {
    bench.begin(() -> "activation.add of x " + x + " to y " + y);
    CudaTensor from = CudaTensor.of(x);
    CudaTensor sum = CudaTensor.of(y, from.element());
    Workbench.runPacked(
        bench
            .kernel(GROUP, from.element() == bench.activation() ? "add_act" : "add_f32")
            .i64(from.address())
            .i64(sum.address())
            .i64(from.size())
            .flag(Workbench.aligned(from.address(), sum.address())),
        from.size());
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    bench.begin(() -> "activation.copy of x " + x + " to y " + y);
    CudaTensor from = CudaTensor.of(x);
    CudaTensor to = CudaTensor.of(y);
    if (from.element() == to.element()) {
      bench.device().copy(from.address(), to.address(), from.bytes());
    } else {
      bench.convert(from.address(), to.address(), from.size(), to.element() == Element.F32);
    }
  }

  @Override
  public void zero(Tensor x) {
    bench.begin(() -> "activation.zero of x " + x);
    CudaTensor tensor = CudaTensor.of(x);
    bench.device().zero(tensor.address(), tensor.bytes());
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    bench.begin(() -> "activation.gatherRows of x " + x + " to y " + y);
    moveRows("gather_rows", x, rows, y);
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    bench.begin(() -> "activation.scatterAddRows of dy " + dy + " to dx " + dx);
    moveRows("scatter_add_rows", dy, rows, dx);
  }

  private void moveRows(String kernel, Tensor x, IntTensor rows, Tensor y) {
    CudaTensor from = CudaTensor.of(x, bench.activation());
    CudaTensor to = CudaTensor.of(y, bench.activation());
    int d = x.cols();
    int packs = (d + Workbench.PACK - 1) / Workbench.PACK;
    Workbench.runEach(
        bench
            .kernel(GROUP, kernel)
            .i64(from.address())
            .i64(CudaIntTensor.of(rows).address())
            .i64(to.address())
            .i32(rows.rows())
            .i32(d)
            .flag(Workbench.whole(d, from.address(), to.address())),
        (long) rows.rows() * packs);
  }
}
