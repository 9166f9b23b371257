package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedOptimizerOps(OptimizerOps inner, Operands operands) implements OptimizerOps {
  @Override
  public void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step) {
    operands.begin("optimizer.adamW");
    int rows = rows(parameter);
    int cols = cols(parameter);
    operands.require(step.t() >= 1, () -> "step t is " + step.t() + ", expected at least 1");
    inner.adamW(
        operands.output("parameter", parameter, ANY, ANY),
        operands.input("gradient", gradient, rows, cols),
        operands.output("m", m, rows, cols),
        operands.output("v", v, rows, cols),
        step);
  }

  @Override
  public void squaredNorm(Tensor gradient, Tensor sum) {
    operands.begin("optimizer.squaredNorm");
    inner.squaredNorm(
        operands.input("gradient", gradient, ANY, ANY), operands.output("sum", sum, 1, 1));
  }

  @Override
  public void clip(Tensor gradient, Tensor squaredNorm, float maxNorm) {
    operands.begin("optimizer.clip");
    operands.require(maxNorm > 0, () -> "maxNorm is " + maxNorm + ", expected above 0");
    Tensor norm = operands.input("squaredNorm", squaredNorm, 1, 1);
    inner.clip(operands.output("gradient", gradient, ANY, ANY), norm, maxNorm);
  }
}
