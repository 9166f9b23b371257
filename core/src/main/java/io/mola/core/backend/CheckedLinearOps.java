package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** Checks, then calls. */
record CheckedLinearOps(LinearOps inner, Operands operands) implements LinearOps {
  @Override
  public void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys) {
    operands.begin("linear.forward");
    inner.forward(
        operands.input("x", x, ANY, ANY),
        operands.matrices("weights", weights, cols(x)),
        operands.outputs("ys", ys, rows(x), weights));
  }

  @Override
  public void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx) {
    operands.begin("linear.backward");
    List<FrozenMatrix> matrices = operands.matrices("weights", weights, cols(dx));
    inner.backward(
        operands.inputs("dys", dys, rows(dx), weights),
        matrices,
        operands.output("dx", dx, ANY, ANY));
  }

  @Override
  public void embed(IntTensor ids, FrozenMatrix table, Tensor y) {
    operands.begin("linear.embed");
    inner.embed(
        operands.ints("ids", ids, rows(y), 1),
        operands.matrix("table", table, ANY, cols(y)),
        operands.output("y", y, ANY, ANY));
  }
}
