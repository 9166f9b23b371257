package io.mola.testdata.reference;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.contract.LinearOpsContract;

final class ReferenceLinearOpsTest extends LinearOpsContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return Backends.choose("reference").open(settings);
  }
}
