package io.mola.core.backend;

import java.util.Map;

/**
 * Checks every call before it reaches a backend: shapes, missing operands, overlaps of outputs with
 * inputs or other outputs, use after close, operands of another backend. The words are the same for
 * every backend, and kernels stay bare.
 *
 * <p>It costs a few comparisons per call, nothing per element. Tensors and matrices of a checked
 * backend are wrapped and work with it only. What lies in device memory (ids, rows, spans) is not
 * checked here: whoever uploads it checks it. Calls come from one thread at a time, as the contract
 * says: all operations check with the same {@link Operands}.
 */
public final class CheckedBackend implements Backend {
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
  CheckedBackend(Backend inner) {
    this.inner = inner;
    Operands operands = new Operands();
    memory = new CheckedMemory(inner.memory(), operands);
    linear = new CheckedLinearOps(inner.linear(), operands);
    adapters = new CheckedAdapterOps(inner.adapters(), operands);
    routers = new CheckedRouterOps(inner.routers(), operands);
    norm = new CheckedNormOps(inner.norm(), operands);
    attention = new CheckedAttentionOps(inner.attention(), operands);
    activation = new CheckedActivationOps(inner.activation(), operands);
    loss = new CheckedLossOps(inner.loss(), operands);
    optimizer = new CheckedOptimizerOps(inner.optimizer(), operands);
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
