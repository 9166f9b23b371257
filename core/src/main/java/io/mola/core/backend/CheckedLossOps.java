package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Checks, then calls. */
record CheckedLossOps(LossOps inner, Operands operands) implements LossOps {
  @Override
  public void crossEntropyHead(
      Tensor x,
      FrozenMatrix head,
      IntTensor targets,
      IntTensor weights,
      float factor,
      Tensor scratch,
      Tensor loss,
      @Nullable Tensor dx) {
    operands.begin("loss.crossEntropyHead");
    inner.crossEntropyHead(
        operands.input("x", x, ANY, ANY),
        operands.matrix("head", head, ANY, cols(x)),
        operands.ints("targets", targets, rows(x), 1),
        operands.ints("weights", weights, rows(x), 1),
        factor,
        operands.output("scratch", scratch, ANY, head.out()),
        operands.output("loss", loss, 1, 1),
        dx == null ? null : operands.output("dx", dx, rows(x), cols(x)));
  }
}
