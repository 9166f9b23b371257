package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Elementwise operations and movement of rows. */
public interface ActivationOps {
  /** {@code y = silu(gate) ⊙ up}, silu(a) = a / (1 + exp(−a)) (Shazeer 2020); all [n, f]. */
  void swigluForward(Tensor gate, Tensor up, Tensor y);

  /**
   * {@code dGate = dy ⊙ up ⊙ σ(gate)(1 + gate(1 − σ(gate)))}, {@code dUp = dy ⊙ silu(gate)}; both
   * overwrite. {@code dGate} may be {@code dy} itself (in place).
   */
  void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp);

  /** {@code y += x}: the residual and its gradient. */
  void add(Tensor x, Tensor y);

  /** {@code y = x}. */
  void copy(Tensor x, Tensor y);

  /** {@code x = 0}. */
  void zero(Tensor x);

  /** {@code y[m,d] = x[rows[m,1], :]}. */
  void gatherRows(Tensor x, IntTensor rows, Tensor y);

  /** {@code dx[rows[i], :] += dy[i, :]}; the rows are distinct. */
  void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx);
}
