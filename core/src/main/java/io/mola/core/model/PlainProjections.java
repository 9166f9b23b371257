package io.mola.core.model;

import io.mola.core.backend.Backend;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The model as it is: no adapter, nothing to train. */
public final class PlainProjections implements LinearHook {
  private final Backend backend;

  /** Projections of the frozen model alone. */
  public PlainProjections(Backend backend) {
    this.backend = backend;
  }

  @Override
  public void forward(
      int layer,
      Projection.Group group,
      Pass pass,
      Tensor x,
      List<FrozenMatrix> weights,
      List<Tensor> ys) {
    backend.linear().forward(x, weights, ys);
  }

  @Override
  public void backward(
      int layer,
      Projection.Group group,
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      @Nullable Tensor dx) {
    if (dx != null) {
      backend.linear().backward(dys, weights, dx);
    }
  }

  @Override
  public int lowestTrainedLayer() {
    return Integer.MAX_VALUE;
  }

  @Override
  public boolean maySkipUnlabelledRows() {
    return true;
  }
}
