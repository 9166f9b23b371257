package io.mola.simd;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;
import io.mola.core.failure.UsageException;

/** Entry of the CPU backend. It mentions no class of the Vector API, which may be missing. */
public final class SimdBackendProvider implements BackendProvider {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";
  private static final int PRIORITY = 10;

  @Override
  public String name() {
    return "simd";
  }

  @Override
  public Availability probe() {
    if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
      return new Availability.Unusable(
          "the JDK's Vector API is not there", "start Java with --add-modules " + VECTOR_MODULE);
    }
    return new Availability.Usable(
        PRIORITY,
        "%d-bit vectors, %d processors"
            .formatted(SimdBackend.vectorBits(), Runtime.getRuntime().availableProcessors()));
  }

  @Override
  public Backend open(BackendSettings settings) {
    if (probe() instanceof Availability.Unusable(String reason, String remedy)) {
      throw new UsageException("backend simd cannot be used: " + reason + "; " + remedy);
    }
    return new SimdBackend(settings);
  }
}
