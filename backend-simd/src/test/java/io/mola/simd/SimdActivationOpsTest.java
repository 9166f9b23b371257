package io.mola.simd;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.testdata.contract.ActivationOpsContract;

class SimdActivationOpsTest extends ActivationOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return new SimdBackendProvider().open(settings);
  }
}
