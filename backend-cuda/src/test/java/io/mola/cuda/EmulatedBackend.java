package io.mola.cuda;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.cuda.driver.Precision;
import java.nio.file.Path;

/** The backend over the emulated libraries, with float32 activations unless asked otherwise. */
final class EmulatedBackend {
  private EmulatedBackend() {}

  static Backend open(BackendSettings settings) {
    return open(settings, Precision.F32);
  }

  static Backend open(BackendSettings settings, Precision precision) {
    return open(settings, precision, true);
  }

  static CudaBackend open(BackendSettings settings, Precision precision, boolean graph) {
    Path kernels = CudaSettings.ofThisProcess().kernelCache();
    return new CudaBackend(settings, new CudaSettings(precision, kernels, graph, false));
  }
}
