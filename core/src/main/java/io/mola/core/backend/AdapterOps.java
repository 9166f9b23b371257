package io.mola.core.backend;

import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Projections with mixtures of low-rank experts, in the dense stacked form: gates are zero for
 * experts not chosen, so nothing is gathered or scattered and the result is exact. Formulas: MoLA
 * equations 3 and 4 (NAACL 2025).
 *
 * <p>D is the dropout mask with entries 0 or 1/(1-p); rep repeats the gate of expert e over its r
 * columns; columns [i] are those of member i; the gate of a member without router is 1.
 */
public interface AdapterOps {
  /**
   * Forward of a group, for each projection i:
   *
   * <pre>{@code
   * logits[n,E] = x · routerᵀ                                 (without dropout)
   * gates[n,E]  = per member: softmax over its K largest logits, else 0; ties: lower index wins
   * z[n,R]      = (x ⊙ D) · aᵀ
   * ys_i[n,out] = x · W_iᵀ + (scale_i · z[i] ⊙ rep(gates[i])) · b_i
   * }</pre>
   *
   * A chosen expert's gate is at least {@link Float#MIN_NORMAL}, so that {@code gates ≠ 0} says
   * which were chosen even where a probability underflows.
   */
  void forward(
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      List<Tensor> ys);

  /**
   * Backward of a group, with u = scale · z ⊙ rep(gates), for each projection i:
   *
   * <pre>{@code
   * du[n,R][i]    = dys_i · b_iᵀ
   * db_i         += u[i]ᵀ · dys_i
   * dgate[t,e]    = scale · Σ over the r columns of expert e of du ⊙ z
   * dLogits[t,e] += gates[t,e] · (dgate[t,e] − Σ_k gates[t,k] · dgate[t,k])     per member
   * dz            = scale · du ⊙ rep(gates)
   * da           += dzᵀ · (x ⊙ D)
   * drouter      += dLogitsᵀ · x
   * dx           += Σ_i dys_i · W_i + (dz · a) ⊙ D + dLogits · router
   * }</pre>
   *
   * {@code dLogits} holds the gradient of the balance loss (or zeros) on entry.
   *
   * @param gradients same shapes as {@code experts}
   * @param dLogits [n, E], in place; null if E = 0
   * @param dx null if nothing below is trained: then no product for it is made
   */
  void backward(
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      Experts experts,
      Dropout dropout,
      State state,
      Experts gradients,
      @Nullable Tensor dLogits,
      @Nullable Tensor dx);

  /**
   * What the forward pass leaves for the backward pass.
   *
   * @param z [n, R]
   * @param logits [n, E]; null if E = 0
   * @param gates [n, E]; null if E = 0
   */
  record State(Tensor z, @Nullable Tensor logits, @Nullable Tensor gates) {}
}
