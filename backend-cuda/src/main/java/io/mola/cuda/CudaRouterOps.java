package io.mola.cuda;

import io.mola.core.backend.RouterOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;

/** Router statistics and balance loss. */
final class CudaRouterOps implements RouterOps {
  private static final String GROUP = "router";
  private static final int MOST_THREADS = 256;

  private final Workbench bench;

  CudaRouterOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void statistics(
      Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics) {
    bench.begin(() -> "routers.statistics of logits " + logits);
    int experts = statistics.cols();
    bench
        .kernel(GROUP, "balance_statistics")
        .i64(address(logits))
        .i64(address(gates))
        .i64(CudaIntTensor.of(rowWeights).address())
        .i32(logits.rows())
        .i32(logits.cols())
        .i32(column)
        .i32(experts)
        .i64(address(statistics))
        .run(experts, Math.min(MOST_THREADS, Workbench.threadsFor(logits.rows())));
  }

  @Override
  public void balanceLoss(Tensor statistics, float factor, Tensor loss) {
    bench.begin(() -> "routers.balanceLoss of statistics " + statistics);
    bench
        .kernel(GROUP, "balance_loss")
        .i64(address(statistics))
        .i32(statistics.cols())
        .f32(factor)
        .i64(address(loss))
        .run(1, 1);
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
    bench.begin(() -> "routers.balanceBackward of logits " + logits);
    Workbench.runEach(
        bench
            .kernel(GROUP, "balance_backward")
            .i64(address(logits))
            .i64(CudaIntTensor.of(rowWeights).address())
            .i32(logits.rows())
            .i32(logits.cols())
            .i32(column)
            .i32(statistics.cols())
            .i32(topK)
            .i64(address(statistics))
            .f32(factor)
            .i64(address(dLogits)),
        logits.rows());
  }

  private static long address(Tensor tensor) {
    return CudaTensor.of(tensor, Element.F32).address();
  }
}
