package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Measures the load balance of routers. */
record ProfiledRouterOps(RouterOps inner, OperationTimes times) implements RouterOps {
  @Override
  public void statistics(
      Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics) {
    times.time(
        "routers.statistics",
        0,
        () -> inner.statistics(logits, gates, rowWeights, column, statistics));
  }

  @Override
  public void balanceLoss(Tensor statistics, float factor, Tensor loss) {
    times.time("routers.balanceLoss", 0, () -> inner.balanceLoss(statistics, factor, loss));
  }

  @Override
  public void balanceBackward(
      Tensor logits,
      IntTensor rowWeights,
      int column,
      int topK,
      Tensor statistics,
      float factor,
      Tensor dLogits) {
    times.time(
        "routers.balanceBackward",
        0,
        () -> inner.balanceBackward(logits, rowWeights, column, topK, statistics, factor, dLogits));
  }
}
