package io.mola.core.backend;

import static io.mola.core.backend.ProfiledLinearOps.flop;
import static io.mola.core.backend.ProfiledLinearOps.shaped;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Measures the head. */
record ProfiledLossOps(LossOps inner, OperationTimes times) implements LossOps {
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
    double forward = flop(x.rows(), head.in(), head.out());
    times.time(
        shaped("loss.crossEntropyHead", head.in(), head.out()),
        dx == null ? forward : 2 * forward,
        () -> inner.crossEntropyHead(x, head, targets, weights, factor, scratch, loss, dx));
  }
}
