package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedRouterOps(RouterOps inner, Operands operands) implements RouterOps {
  @Override
  public void statistics(
      Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics) {
    operands.begin("routers.statistics");
    columns(operands, column, statistics, logits);
    inner.statistics(
        operands.input("logits", logits, ANY, ANY),
        operands.input("gates", gates, rows(logits), cols(logits)),
        operands.ints("rowWeights", rowWeights, rows(logits), 1),
        column,
        operands.output("statistics", statistics, 2, ANY));
  }

  @Override
  public void balanceLoss(Tensor statistics, float factor, Tensor loss) {
    operands.begin("routers.balanceLoss");
    inner.balanceLoss(
        operands.input("statistics", statistics, 2, ANY),
        factor,
        operands.output("loss", loss, 1, 1));
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
    operands.begin("routers.balanceBackward");
    columns(operands, column, statistics, logits);
    operands.require(
        topK >= 1 && topK <= cols(statistics),
        () -> "topK is " + topK + ", expected 1 to " + cols(statistics));
    inner.balanceBackward(
        operands.input("logits", logits, ANY, ANY),
        operands.ints("rowWeights", rowWeights, rows(logits), 1),
        column,
        topK,
        operands.input("statistics", statistics, 2, ANY),
        factor,
        operands.output("dLogits", dLogits, rows(logits), cols(logits)));
  }

  private static void columns(Operands operands, int column, Tensor statistics, Tensor logits) {
    operands.require(
        column >= 0 && column + cols(statistics) <= cols(logits),
        () ->
            "column is "
                + column
                + ", expected the "
                + cols(statistics)
                + " columns from there on within the "
                + cols(logits)
                + " of logits");
  }
}
