package io.mola.cuda;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LinearOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** Products with frozen weights. */
final class CudaLinearOps implements LinearOps {
  private final Workbench bench;
  private final FrozenProducts frozen;

  CudaLinearOps(Workbench bench) {
    this.bench = bench;
    this.frozen = new FrozenProducts(bench);
  }

  @Override
  public void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys) {
    CudaTensor input = CudaTensor.of(x, bench.activation());
    for (int i = 0; i < weights.size(); i++) {
      CudaFrozenMatrix matrix = CudaFrozenMatrix.of(weights.get(i));
      bench.begin(() -> "linear.forward of x " + x + " with " + matrix);
      frozen.forward(input.operand(), matrix, CudaTensor.of(ys.get(i)).operand(), x.rows(), false);
    }
  }

  @Override
  public void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx) {
    CudaTensor sum = CudaTensor.of(dx, bench.activation());
    for (int i = 0; i < weights.size(); i++) {
      CudaFrozenMatrix matrix = CudaFrozenMatrix.of(weights.get(i));
      bench.begin(() -> "linear.backward to dx " + dx + " with " + matrix);
      CudaTensor dy = CudaTensor.of(dys.get(i), bench.activation());
      frozen.backward(dy.operand(), matrix, sum.operand(), dx.rows(), true);
    }
  }

  @Override
  public void embed(IntTensor ids, FrozenMatrix table, Tensor y) {
    CudaFrozenMatrix matrix = CudaFrozenMatrix.of(table);
    bench.begin(() -> "linear.embed to y " + y + " from " + matrix);
    CudaTensor output = CudaTensor.of(y, bench.activation());
    int in = matrix.in();
    long rows = matrix.fetch();
    int packs = (in + Workbench.PACK - 1) / Workbench.PACK;
    Workbench.runEach(
        bench
            .kernel("weights", "embed")
            .i32(matrix.rowType().ggufId())
            .i64(rows)
            .i64(matrix.rowType().rowBytes(in))
            .i64(CudaIntTensor.of(ids).address())
            .i64(output.address())
            .i32(y.rows())
            .i32(in)
            .flag(Workbench.whole(in, output.address())),
        (long) y.rows() * packs);
    matrix.done();
  }
}
