package io.mola.core.backend;

import io.mola.core.tensor.Tensor;

/** Measures updates of parameters. */
record ProfiledOptimizerOps(OptimizerOps inner, OperationTimes times) implements OptimizerOps {
  @Override
  public void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step) {
    times.time("optimizer.adamW", 0, () -> inner.adamW(parameter, gradient, m, v, step));
  }

  @Override
  public void squaredNorm(Tensor gradient, Tensor sum) {
    times.time("optimizer.squaredNorm", 0, () -> inner.squaredNorm(gradient, sum));
  }

  @Override
  public void clip(Tensor gradient, Tensor squaredNorm, float maxNorm) {
    times.time("optimizer.clip", 0, () -> inner.clip(gradient, squaredNorm, maxNorm));
  }
}
