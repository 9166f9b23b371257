package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Output head and cross-entropy in one, in chunks of rows: the logits [m, V] never exist as a
 * whole.
 */
public interface LossOps {
  /**
   * With {@code logits = x · Wᵀ} and p = softmax(logits):
   *
   * <pre>{@code
   * loss[1,1] += Σ_t weights[t] · (−log p[t, targets[t]])
   * dx[m,d]    = factor · weights[t] · (p − onehot(targets)) · W
   * }</pre>
   *
   * @param x [m, d]: rows that carry a label
   * @param head W [V, d]
   * @param targets [m, 1], each in 0 .. V-1
   * @param weights [m, 1]: how often the row counts (1, or more where rows were shared)
   * @param factor usually 1 / number of targets in the effective batch
   * @param scratch [chunk, V]: its row count is the chunk
   * @param dx null: loss only
   */
  void crossEntropyHead(
      Tensor x,
      FrozenMatrix head,
      IntTensor targets,
      IntTensor weights,
      float factor,
      Tensor scratch,
      Tensor loss,
      @Nullable Tensor dx);
}
