package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** Measures products with frozen weights. */
record ProfiledLinearOps(LinearOps inner, OperationTimes times) implements LinearOps {
  @Override
  public void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys) {
    int out = outputs(weights);
    times.time(
        shaped("linear.forward", x.cols(), out),
        flop(x.rows(), x.cols(), out),
        () -> inner.forward(x, weights, ys));
  }

  @Override
  public void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx) {
    int out = outputs(weights);
    times.time(
        shaped("linear.backward", dx.cols(), out),
        flop(dx.rows(), dx.cols(), out),
        () -> inner.backward(dys, weights, dx));
  }

  @Override
  public void embed(IntTensor ids, FrozenMatrix table, Tensor y) {
    times.time("linear.embed", 0, () -> inner.embed(ids, table, y));
  }

  /** Outputs of a whole group. */
  static int outputs(List<FrozenMatrix> weights) {
    int out = 0;
    for (FrozenMatrix weight : weights) {
      out += weight.out();
    }
    return out;
  }

  /** Name of an operation on a group of projections. */
  static String shaped(String operation, int in, int out) {
    return operation + " " + in + "x" + out;
  }

  /** Of a product [n, k] · [k, m]. */
  static double flop(int n, int k, int m) {
    return 2.0 * n * k * m;
  }
}
