package io.mola.testdata.reference;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.contract.LossOpsContract;

final class ReferenceLossOpsTest extends LossOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return Backends.choose("reference").open(settings);
  }
}
