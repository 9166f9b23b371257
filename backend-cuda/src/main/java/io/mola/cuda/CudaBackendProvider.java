package io.mola.cuda;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;
import io.mola.core.failure.UsageException;

/**
 * Entry of the CUDA backend. ServiceLoader constructs it on every machine, so neither this class
 * nor the probe may mention a bytedeco type: their static initialisers load libcuda, and fail for
 * good where there is none.
 *
 * <p>Inner precision, the folder of compiled kernels and more are set by system properties or
 * environment variables: see {@link CudaSettings}.
 */
public final class CudaBackendProvider implements BackendProvider {
  private static final String NAME = "cuda";

  private final CudaProbe probe;

  /** Of this machine. */
  public CudaBackendProvider() {
    this(CudaProbe.ofThisMachine());
  }

  CudaBackendProvider(CudaProbe probe) {
    this.probe = probe;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Availability probe() {
    return probe.run();
  }

  @Override
  public Backend open(BackendSettings settings) {
    if (probe() instanceof Availability.Unusable(String reason, String remedy)) {
      throw new UsageException("backend cuda cannot be used: " + reason + "; " + remedy);
    }
    try {
      return new CudaBackend(settings, CudaSettings.ofThisProcess());
    } catch (LinkageError e) {
      throw new UsageException(
          "backend cuda cannot be used: a library of CUDA 13 does not load: "
              + e.getMessage()
              + "; put the folder of libcudart, libcublas and libnvrtc into LD_LIBRARY_PATH",
          e);
    }
  }
}
