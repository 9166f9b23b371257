package io.mola.cuda;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.contract.OptimizerOpsContract;
import io.mola.testdata.contract.Precision;

@OnEmulatedCuda
class Bf16OptimizerTest extends OptimizerOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return EmulatedBackend.open(settings, io.mola.cuda.driver.Precision.BF16);
  }

  @Override
  protected Precision precision() {
    return Precision.BFLOAT16;
  }
}
