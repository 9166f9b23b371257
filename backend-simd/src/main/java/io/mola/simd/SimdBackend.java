package io.mola.simd;

import io.mola.core.backend.ActivationOps;
import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.LinearOps;
import io.mola.core.backend.LossOps;
import io.mola.core.backend.Memory;
import io.mola.core.backend.NormOps;
import io.mola.core.backend.OptimizerOps;
import io.mola.core.backend.RouterOps;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;

/** The CPU as a backend: every call has finished when it returns. */
final class SimdBackend implements Backend {
  private final Workbench bench;
  private final PanelCache cache;
  private final SimdMemory memory;
  private final SimdLinearOps linear;
  private final SimdAdapterOps adapters;
  private final SimdRouterOps routers;
  private final SimdNormOps norm;
  private final SimdAttentionOps attention;
  private final SimdActivationOps activation;
  private final SimdLossOps loss;
  private final SimdOptimizerOps optimizer;

  SimdBackend(BackendSettings settings) {
    bench = Workbench.of(settings.threads());
    cache = new PanelCache(settings.weightCacheBytes(), bench.pool());
    memory = new SimdMemory(cache, bench);
    linear = new SimdLinearOps(bench);
    adapters = new SimdAdapterOps(bench);
    routers = new SimdRouterOps(bench);
    norm = new SimdNormOps(bench);
    attention = new SimdAttentionOps(bench);
    activation = new SimdActivationOps(bench);
    loss = new SimdLossOps(bench);
    optimizer = new SimdOptimizerOps(bench);
  }

  static int vectorBits() {
    return VectorWidth.BITS;
  }

  @Override
  public String name() {
    return "simd";
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
    bench.pool().close();
    cache.clear();
  }
}
