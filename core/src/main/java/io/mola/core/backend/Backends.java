package io.mola.core.backend;

import io.mola.core.backend.BackendProvider.Availability;
import io.mola.core.failure.UsageException;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Finds backends by ServiceLoader. */
public final class Backends {
  /** Name that stands for the usable backend of highest priority. */
  public static final String AUTO = "auto";

  private Backends() {}

  /** All backends on the module path, by name. */
  public static List<BackendProvider> all() {
    return ServiceLoader.load(BackendProvider.class).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparing(BackendProvider::name))
        .toList();
  }

  /**
   * The backend of that name, or with {@value #AUTO} the usable one of highest priority. What it
   * opens checks every call; see {@link CheckedBackend}.
   *
   * @throws UsageException if there is none of that name, or it cannot be used here
   */
  public static BackendProvider choose(String name) {
    List<BackendProvider> all = all();
    if (name.equals(AUTO)) {
      return all.stream()
          .filter(provider -> priority(provider) >= 0)
          .max(Comparator.comparingInt(Backends::priority))
          .<BackendProvider>map(CheckedProvider::new)
          .orElseThrow(() -> new UsageException("no usable backend: see 'mola backends'"));
    }
    for (BackendProvider provider : all) {
      if (provider.name().equals(name)) {
        if (provider.probe() instanceof Availability.Unusable(String reason, String remedy)) {
          throw new UsageException(
              "backend " + name + " cannot be used: " + reason + "; " + remedy);
        }
        return new CheckedProvider(provider);
      }
    }
    String known = all.stream().map(BackendProvider::name).collect(Collectors.joining(", "));
    throw new UsageException("no backend named " + name + "; there are: " + known + ", " + AUTO);
  }

  /** The same backend with every call checked; see {@link CheckedBackend}. */
  public static Backend checked(Backend backend) {
    return backend instanceof CheckedBackend ? backend : new CheckedBackend(backend);
  }

  private record CheckedProvider(BackendProvider inner) implements BackendProvider {
    @Override
    public String name() {
      return inner.name();
    }

    @Override
    public Availability probe() {
      return inner.probe();
    }

    @Override
    public Backend open(BackendSettings settings) {
      return checked(inner.open(settings));
    }
  }

  private static int priority(BackendProvider provider) {
    return provider.probe() instanceof Availability.Usable(int priority, String detail)
        ? priority
        : -1;
  }
}
