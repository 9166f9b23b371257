package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;

/**
 * Products with frozen weights W [out, in]. Projections that share an input run as one operation,
 * so that x is packed once. There is no gradient with respect to W.
 */
public interface LinearOps {
  /** {@code ys_i[n,out_i] = x[n,in] · W_iᵀ} for each i. */
  void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys);

  /** {@code dx[n,in] += Σ_i dys_i[n,out_i] · W_i}. */
  void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx);

  /** {@code y[n,d] = W[ids[n,1], :]}. Ids were checked by the caller. */
  void embed(IntTensor ids, FrozenMatrix table, Tensor y);
}
