package io.mola.cuda;

import io.mola.core.backend.ActivationOps;
import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.InnerPrecision;
import io.mola.core.backend.LinearOps;
import io.mola.core.backend.LossOps;
import io.mola.core.backend.Memory;
import io.mola.core.backend.NormOps;
import io.mola.core.backend.OptimizerOps;
import io.mola.core.backend.RouterOps;
import io.mola.cuda.driver.Closing;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.driver.Queue;
import java.util.LinkedHashMap;
import java.util.Map;

/** A CUDA device as a backend: calls are queued on one stream, and only downloads wait. */
final class CudaBackend implements Backend {
  private final Precision precision;
  private final Workbench bench;
  private final CudaMemory memory;
  private final CudaLinearOps linear;
  private final CudaAdapterOps adapters;
  private final CudaRouterOps routers;
  private final CudaNormOps norm;
  private final CudaAttentionOps attention;
  private final CudaActivationOps activation;
  private final CudaLossOps loss;
  private final CudaOptimizerOps optimizer;

  CudaBackend(BackendSettings settings, CudaSettings cuda) {
    precision = cuda.precision();
    bench = new Workbench(cuda);
    try {
      memory = new CudaMemory(bench, settings.weightCacheBytes());
    } catch (RuntimeException | LinkageError e) {
      Closing.after(e, bench::close);
      throw e;
    }
    linear = new CudaLinearOps(bench);
    adapters = new CudaAdapterOps(bench);
    routers = new CudaRouterOps(bench);
    norm = new CudaNormOps(bench);
    attention = new CudaAttentionOps(bench);
    activation = new CudaActivationOps(bench);
    loss = new CudaLossOps(bench);
    optimizer = new CudaOptimizerOps(bench);
  }

  /** The way to the stream. */
  Queue queue() {
    return bench.device().queue();
  }

  /** Bytes of frozen matrices that stream from host memory. */
  long streamedBytes() {
    return memory.store().streamedBytes();
  }

  /** How many uses of streamed matrices found them on the device, or on their way. */
  long fetchedAhead() {
    return memory.store().host().fetchedAhead();
  }

  /** Scratch memory that operations have taken so far. */
  long workspaceBytes() {
    return bench.workspace().bytes();
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public InnerPrecision precision() {
    return precision.inner();
  }

  @Override
  public Map<String, Long> counts() {
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("sequences", queue().sequences());
    counts.put("sequences_replayed", queue().replays());
    counts.put("commands", queue().commands());
    counts.put("commands_replayed", queue().replayedCommands());
    counts.put("most_device_bytes", bench.device().mostAllocatedBytes());
    counts.put("workspace_bytes", workspaceBytes());
    counts.put("streamed_weights_bytes", memory.store().mostStreamedBytes());
    counts.put("streamed_bytes", memory.store().host().copiedBytes());
    return counts;
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
    new Closing().step(memory::close).step(bench::close).finish();
  }
}
