package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedNormOps(NormOps inner, Operands operands) implements NormOps {
  @Override
  public void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd) {
    operands.begin("norm.rmsForward");
    inner.rmsForward(
        operands.input("x", x, ANY, ANY),
        operands.input("gain", gain, 1, cols(x)),
        epsilon,
        operands.output("y", y, rows(x), cols(x)),
        operands.output("rstd", rstd, rows(x), 1));
  }

  @Override
  public void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx) {
    operands.begin("norm.rmsBackward");
    inner.rmsBackward(
        operands.input("dy", dy, rows(x), cols(x)),
        operands.input("x", x, ANY, ANY),
        operands.input("gain", gain, 1, cols(x)),
        operands.input("rstd", rstd, rows(x), 1),
        operands.output("dx", dx, rows(x), cols(x)));
  }
}
