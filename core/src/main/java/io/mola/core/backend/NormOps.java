package io.mola.core.backend;

import io.mola.core.tensor.Tensor;

/** Root mean square norm (Zhang, Sennrich 2019); the gain is frozen. */
public interface NormOps {
  /**
   * {@code rstd[t] = 1/sqrt(mean_j x[t,j]² + epsilon)}, {@code y[n,d] = x · rstd · gain}; gain
   * [1,d], rstd [n,1].
   */
  void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd);

  /**
   * {@code dx[t,j] += rstd[t] · (g_j − x[t,j] · rstd[t]² · mean_k(g_k x[t,k]))} with {@code g_j =
   * dy[t,j] · gain_j}.
   */
  void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx);
}
