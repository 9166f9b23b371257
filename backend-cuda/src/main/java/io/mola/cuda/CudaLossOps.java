package io.mola.cuda;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LossOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Operand;
import org.jspecify.annotations.Nullable;

/**
 * Head and cross-entropy, chunk by chunk of rows. The gradient of the logits exists one tile of the
 * vocabulary at a time, as the operand of the product with the head's rows of that tile.
 */
final class CudaLossOps implements LossOps {
  private static final String GROUP = "loss";
  private static final int THREADS = 256;

  /** Of a row: the largest logit and the inverse sum of exponentials. */
  private static final int STATISTICS_BYTES = 2 * Float.BYTES;

  private final Workbench bench;
  private final FrozenProducts frozen;

  CudaLossOps(Workbench bench) {
    this.bench = bench;
    this.frozen = new FrozenProducts(bench);
  }

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
    bench.begin(() -> "loss.crossEntropyHead of x " + x + " with " + head);
    CudaTensor input = CudaTensor.of(x, bench.activation());
    CudaTensor logits = CudaTensor.of(scratch, Element.F32);
    CudaFrozenMatrix matrix = CudaFrozenMatrix.of(head);
    int most = Math.min(logits.rows(), x.rows());
    long losses = bench.workspace().take((long) x.rows() * Double.BYTES);
    long statistics = bench.workspace().take((long) most * STATISTICS_BYTES);
    Gradient gradient = dx == null ? null : new Gradient(matrix, most, factor, dx);
    for (int first = 0; first < x.rows(); first += logits.rows()) {
      int rows = Math.min(logits.rows(), x.rows() - first);
      Labels labels =
          new Labels(
              CudaIntTensor.of(targets).address() + 4L * first,
              CudaIntTensor.of(weights).address() + 4L * first,
              statistics);
      frozen.forward(rowsOf(input, first), matrix, logits.operand(), rows, false);
      softmax(logits, rows, labels, losses + (long) Double.BYTES * first);
      if (gradient != null) {
        gradient.of(logits, first, rows, labels);
      }
    }
    bench
        .kernel(GROUP, "add_losses")
        .i64(losses)
        .i32(x.rows())
        .i64(CudaTensor.of(loss, Element.F32).address())
        .run(1, THREADS);
  }

  /** Addresses of what belongs to the rows of a chunk. */
  private record Labels(long targets, long weights, long statistics) {}

  private static Operand rowsOf(CudaTensor tensor, int first) {
    return Operand.of(tensor.at(first), tensor.element(), tensor.cols());
  }

  private void softmax(CudaTensor logits, int rows, Labels labels, long losses) {
    bench
        .kernel(GROUP, "cross_entropy")
        .i64(logits.address())
        .i64(labels.targets())
        .i64(labels.weights())
        .i32(logits.cols())
        .i64(labels.statistics())
        .i64(losses)
        .run(rows, Workbench.threadsFor(logits.cols()));
  }

  /** {@code dx = factor · weights · (p − onehot) · W}; the sum over tiles is float32. */
  private final class Gradient {
    private final CudaFrozenMatrix head;
    private final float factor;
    private final CudaTensor dx;
    private final int tileRows;
    private final long operand;
    private final long sum;

    Gradient(CudaFrozenMatrix head, int rows, float factor, Tensor dx) {
      this.head = head;
      this.factor = factor;
      this.dx = CudaTensor.of(dx, bench.activation());
      // neither a tile of the head nor its part of the logits is longer than a tile may be
      tileRows = FrozenProducts.tileRows(head.out(), Math.max(head.in(), rows));
      operand = bench.workspace().take((long) rows * tileRows * bench.activation().bytes());
      sum =
          bench.activation() == Element.F32
              ? 0
              : bench.workspace().take((long) rows * dx.cols() * Float.BYTES);
    }

    void of(CudaTensor logits, int firstRow, int rows, Labels labels) {
      long target = sum == 0 ? dx.at(firstRow) : sum;
      Operand to = Operand.of(target, Element.F32, dx.cols());
      frozen.eachTile(
          head,
          tileRows,
          (tile, first, columns) -> {
            toOperand(logits, rows, first, columns, labels);
            bench
                .products()
                .multiply(
                    Operand.of(operand, bench.activation(), columns),
                    tile,
                    to,
                    rows,
                    dx.cols(),
                    columns,
                    first > 0);
          });
      if (sum != 0) {
        bench.convert(sum, dx.at(firstRow), (long) rows * dx.cols(), false);
      }
    }

    private void toOperand(CudaTensor logits, int rows, int first, int columns, Labels labels) {
      boolean whole =
          Workbench.whole(logits.cols(), logits.address())
              && first % Workbench.PACK == 0
              && columns % Workbench.PACK == 0;
      int packs = (columns + Workbench.PACK - 1) / Workbench.PACK;
      int threads = Math.min(THREADS, Workbench.threadsFor(packs));
      bench
          .kernel(GROUP, "cross_entropy_gradient")
          .i64(logits.address())
          .i64(labels.statistics())
          .i64(labels.targets())
          .i64(labels.weights())
          .varyingF64(factor)
          .i32(logits.cols())
          .i32(first)
          .i32(columns)
          .i64(operand)
          .flag(whole)
          .run(rows, (packs + threads - 1) / threads, threads);
    }
  }
}
