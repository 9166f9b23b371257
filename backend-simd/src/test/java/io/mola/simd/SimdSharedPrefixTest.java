package io.mola.simd;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.testdata.contract.SharedPrefixContract;

class SimdSharedPrefixTest extends SharedPrefixContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return new SimdBackendProvider().open(settings);
  }
}
