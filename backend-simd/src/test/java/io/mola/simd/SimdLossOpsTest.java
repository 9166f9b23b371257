package io.mola.simd;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.testdata.contract.LossOpsContract;

class SimdLossOpsTest extends LossOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return new SimdBackendProvider().open(settings);
  }
}
