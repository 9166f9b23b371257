package io.mola.cuda;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.contract.GenerationContract;

@OnEmulatedCuda
class CudaGenerationTest extends GenerationContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return EmulatedBackend.open(settings);
  }
}
