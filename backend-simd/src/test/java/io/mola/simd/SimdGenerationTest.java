package io.mola.simd;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.testdata.contract.GenerationContract;

class SimdGenerationTest extends GenerationContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return new SimdBackendProvider().open(settings);
  }
}
