package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/**
 * Load balance of routers. One balance term joins the routers of one layer (or one router alone):
 * its picks and probabilities are summed in one {@code statistics} tensor [2, N].
 *
 * <p>With p = softmax over the N logits of a row, weight w_t = how often row t counts, R = Σ w_t
 * over all routers of the term: f_i = picks_i / (K · R), P_i = Σ w_t p[t,i] / R, L = N · Σ_i f_i
 * P_i, which is 1 at perfect balance (Shazeer et al. 2017, Fedus et al. 2022; MoLA's form per
 * layer).
 */
public interface RouterOps {
  /**
   * {@code statistics[0,i] += Σ_t w_t [gates[t,i] ≠ 0]}, {@code statistics[1,i] += Σ_t w_t p[t,i]}.
   *
   * @param logits [n, E] of a group; the router takes columns {@code column .. column + N - 1}
   * @param gates [n, E]
   * @param rowWeights [n, 1], at least 0
   */
  void statistics(Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics);

  /** {@code loss[1,1] += factor · N · Σ_i f_i P_i}; nothing if no row was counted. */
  void balanceLoss(Tensor statistics, float factor, Tensor loss);

  /**
   * {@code dLogits[t, column + i] += factor · w_t · N / R · p[t,i] · (f_i − Σ_k f_k p[t,k])}; f is
   * a count and has no gradient.
   *
   * @param topK K, to get R from the picks
   */
  void balanceBackward(
      Tensor logits,
      IntTensor rowWeights,
      int column,
      int topK,
      Tensor statistics,
      float factor,
      Tensor dLogits);
}
