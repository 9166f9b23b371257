package io.mola.core.backend.reference;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;

/** The slow backend that defines the operations. Always usable, never chosen over another. */
public final class ReferenceBackendProvider implements BackendProvider {
  @Override
  public String name() {
    return "reference";
  }

  @Override
  public Availability probe() {
    return new Availability.Usable(0, "plain Java, one thread, for checking other backends");
  }

  @Override
  public Backend open(BackendSettings settings) {
    return new ReferenceBackend();
  }
}
