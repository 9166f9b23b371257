package io.mola.core.backend;

import java.util.Map;

/**
 * Measures every call to a backend: how often, how long, and where it is easily known, how much it
 * computes. A run that is not profiled has no such layer.
 */
public final class ProfiledBackend implements Backend {
  private final Backend inner;
  private final Memory memory;
  private final LinearOps linear;
  private final AdapterOps adapters;
  private final RouterOps routers;
  private final NormOps norm;
  private final AttentionOps attention;
  private final ActivationOps activation;
  private final LossOps loss;
  private final OptimizerOps optimizer;

  /** Wraps {@code inner}; closing this closes it. */
  public ProfiledBackend(Backend inner, OperationTimes times) {
    this.inner = inner;
    memory = new ProfiledMemory(inner.memory(), times);
    linear = new ProfiledLinearOps(inner.linear(), times);
    adapters = new ProfiledAdapterOps(inner.adapters(), times);
    routers = new ProfiledRouterOps(inner.routers(), times);
    norm = new ProfiledNormOps(inner.norm(), times);
    attention = new ProfiledAttentionOps(inner.attention(), times);
    activation = new ProfiledActivationOps(inner.activation(), times);
    loss = new ProfiledLossOps(inner.loss(), times);
    optimizer = new ProfiledOptimizerOps(inner.optimizer(), times);
  }

  /** The same provider, except that what it opens is measured. */
  public static BackendProvider provider(BackendProvider provider, OperationTimes times) {
    return new BackendProvider() {
      @Override
      public String name() {
        return provider.name();
      }

      @Override
      public Availability probe() {
        return provider.probe();
      }

      @Override
      public Backend open(BackendSettings settings) {
        return new ProfiledBackend(provider.open(settings), times);
      }
    };
  }

  @Override
  public String name() {
    return inner.name();
  }

  @Override
  public InnerPrecision precision() {
    return inner.precision();
  }

  @Override
  public Map<String, Long> counts() {
    return inner.counts();
  }

  @Override
  public Memory memory() {
    return memory;
  }

  @Override
  public LinearOps linear() {
    return linear;
  }

  @Override
  public AdapterOps adapters() {
    return adapters;
  }

  @Override
  public RouterOps routers() {
    return routers;
  }

  @Override
  public NormOps norm() {
    return norm;
  }

  @Override
  public AttentionOps attention() {
    return attention;
  }

  @Override
  public ActivationOps activation() {
    return activation;
  }

  @Override
  public LossOps loss() {
    return loss;
  }

  @Override
  public OptimizerOps optimizer() {
    return optimizer;
  }

  @Override
  public void close() {
    inner.close();
  }
}
