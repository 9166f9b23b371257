package example.counting;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;

/**
 * Backend {@code counting}: another backend does the work (the one that the environment variable
 * {@code COUNTED_BACKEND} names, by default simd), and this one counts the calls.
 */
public final class CountingBackendProvider implements BackendProvider {
  @Override
  public String name() {
    return "counting";
  }

  @Override
  public Availability probe() {
    return new Availability.Usable(0, "counts the calls of backend " + counted());
  }

  @Override
  public Backend open(BackendSettings settings) {
    Backend inner = Backends.choose(counted()).open(settings);
    return new CallCounter(System.err).count(Backend.class, "backend", inner);
  }

  private static String counted() {
    return System.getenv().getOrDefault("COUNTED_BACKEND", "simd");
  }
}
