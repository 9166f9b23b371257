package io.mola.core.backend.reference;

import io.mola.core.backend.ActivationOps;
import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.Backend;
import io.mola.core.backend.LinearOps;
import io.mola.core.backend.LossOps;
import io.mola.core.backend.Memory;
import io.mola.core.backend.NormOps;
import io.mola.core.backend.OptimizerOps;
import io.mola.core.backend.RouterOps;

/**
 * The definition of every operation. Tensors are float arrays; an operation widens its inputs to
 * double, follows its formula, and rounds once when it writes. It computes at the call, on the
 * calling thread, whatever the settings say.
 */
public final class ReferenceBackend implements Backend {
  private final Memory memory = new ReferenceMemory();
  private final LinearOps linear = new ReferenceLinearOps();
  private final AdapterOps adapters = new ReferenceAdapterOps();
  private final RouterOps routers = new ReferenceRouterOps();
  private final NormOps norm = new ReferenceNormOps();
  private final AttentionOps attention = new ReferenceAttentionOps();
  private final ActivationOps activation = new ReferenceActivationOps();
  private final LossOps loss = new ReferenceLossOps();
  private final OptimizerOps optimizer = new ReferenceOptimizerOps();

  @Override
  public String name() {
    return "reference";
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

  /** Nothing is queued and the garbage collector frees the arrays. */
  @Override
  public void close() {}
}
