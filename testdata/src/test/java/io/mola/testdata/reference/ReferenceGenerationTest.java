package io.mola.testdata.reference;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.testdata.contract.GenerationContract;

final class ReferenceGenerationTest extends GenerationContract {
  @Override
  protected Backend open(BackendSettings settings) {
    return Backends.choose("reference").open(settings);
  }
}
