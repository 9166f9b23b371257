package io.mola.core.model;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Computes the groups of projections for the transformer: the place where adapters come in. The
 * model calls it and knows nothing of what it adds.
 */
public interface LinearHook {
  /** Why forward is called. */
  enum Pass {
    /** Inference: nothing is kept. */
    INFERENCE,
    /** Training, first time. */
    FORWARD,
    /** Training, again, to rebuild what the backward pass needs; must give the same bits. */
    RECOMPUTE
  }

  /** {@code ys_i = x · W_iᵀ + what the hook adds}. */
  void forward(
      int layer,
      Projection.Group group,
      Pass pass,
      Tensor x,
      List<FrozenMatrix> weights,
      List<Tensor> ys);

  /**
   * Adds the hook's gradients, and {@code dx += } the gradient of the input where {@code dx} is not
   * null.
   */
  void backward(
      int layer,
      Projection.Group group,
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      @Nullable Tensor dx);

  /** Lowest layer with something to train; the backward pass stops there. */
  int lowestTrainedLayer();

  /**
   * Whether rows of the last block's feed-forward part that carry no label may be left out (they
   * may not where a balance loss counts them).
   */
  boolean maySkipUnlabelledRows();
}
