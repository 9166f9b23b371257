package io.mola.testdata.reference;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.contract.OptimizerOpsContract;

final class ReferenceOptimizerOpsTest extends OptimizerOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return Backends.choose("reference").open(settings);
  }
}
