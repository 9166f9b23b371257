package io.mola.perf.product;

import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/**
 * Something that multiplies: a backend that keeps packed panels, a backend that decodes the matrix
 * at each use (its name with {@value #UNCACHED}), or a library.
 */
record Implementation(String name) {
  static final String UNCACHED = "-uncached";

  /** Libraries on the module path. */
  static List<ProductLibrary> libraries() {
    List<ProductLibrary> found = new ArrayList<>();
    ServiceLoader.load(ProductLibrary.class).forEach(found::add);
    return found;
  }

  FrozenProduct open(Operands operands, int threads) {
    for (ProductLibrary library : libraries()) {
      if (library.name().equals(name)) {
        return library.open(operands, threads);
      }
    }
    boolean uncached = name.endsWith(UNCACHED);
    String backend = uncached ? name.substring(0, name.length() - UNCACHED.length()) : name;
    if (Backends.all().stream().noneMatch(each -> each.name().equals(backend))) {
      throw new IllegalArgumentException(
          "neither backend nor library is named "
              + backend
              + "; OpenBLAS and MKL need a build with -P peers, see perf/README.md");
    }
    BackendSettings settings = new BackendSettings(threads, uncached ? 0 : Long.MAX_VALUE);
    return new BackendProduct(backend, settings, operands);
  }
}
