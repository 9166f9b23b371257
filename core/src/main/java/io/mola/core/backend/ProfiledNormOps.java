package io.mola.core.backend;

import io.mola.core.tensor.Tensor;

/** Measures norms. */
record ProfiledNormOps(NormOps inner, OperationTimes times) implements NormOps {
  @Override
  public void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd) {
    times.time("norm.rmsForward", 0, () -> inner.rmsForward(x, gain, epsilon, y, rstd));
  }

  @Override
  public void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx) {
    times.time("norm.rmsBackward", 0, () -> inner.rmsBackward(dy, x, gain, rstd, dx));
  }
}
