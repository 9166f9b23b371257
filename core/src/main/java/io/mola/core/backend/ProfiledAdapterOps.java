package io.mola.core.backend;

import static io.mola.core.backend.ProfiledLinearOps.flop;
import static io.mola.core.backend.ProfiledLinearOps.outputs;
import static io.mola.core.backend.ProfiledLinearOps.shaped;

import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Measures products with frozen weights and experts, counted in their dense stacked form. */
record ProfiledAdapterOps(AdapterOps inner, OperationTimes times) implements AdapterOps {
  @Override
  public void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys) {
    int n = x.rows();
    int in = x.cols();
    int out = outputs(weights);
    double flop = flop(n, in, out + experts.stackedRank() + experts.routed());
    times.time(
        shaped("adapters.forward", in, out),
        flop + secondFactors(n, weights, experts),
        () -> inner.forward(x, weights, experts, dropout, state, ys));
  }

  @Override
  public void backward(
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      Experts gradients,
      @Nullable Tensor dLogits,
      @Nullable Tensor dx) {
    int n = x.rows();
    int in = x.cols();
    int out = outputs(weights);
    int narrow = experts.stackedRank() + experts.routed();
    double parameters = flop(n, in, narrow) + 2 * secondFactors(n, weights, experts);
    double input = dx == null ? 0 : flop(n, in, out + narrow);
    times.time(
        shaped("adapters.backward", in, out),
        parameters + input,
        () -> inner.backward(dys, x, weights, experts, dropout, state, gradients, dLogits, dx));
  }

  private static double secondFactors(int n, List<FrozenMatrix> weights, Experts experts) {
    double flop = 0;
    for (int i = 0; i < weights.size(); i++) {
      flop += flop(n, experts.members().get(i).width(), weights.get(i).out());
    }
    return flop;
  }
}
