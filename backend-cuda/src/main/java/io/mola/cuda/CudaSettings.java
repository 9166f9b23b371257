package io.mola.cuda;

import io.mola.core.failure.UsageException;
import io.mola.cuda.driver.Precision;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Settings of the CUDA backend alone. Each is a system property or, where that is absent, an
 * environment variable:
 *
 * <table>
 * <caption>Settings</caption>
 * <tr><th>property</th><th>variable</th><th>meaning</th></tr>
 * <tr><td>mola.cuda.precision</td><td>MOLA_CUDA_PRECISION</td><td>inner precision: bf16 (default),
 * tf32, f32</td></tr>
 * <tr><td>mola.cuda.cache</td><td>MOLA_CUDA_CACHE</td><td>folder of compiled kernels, by default
 * mola/cuda in the user's cache folder</td></tr>
 * <tr><td>mola.cuda.graph</td><td>MOLA_CUDA_GRAPH</td><td>false: do not record steps of constant
 * shape as CUDA graphs</td></tr>
 * <tr><td>mola.cuda.synchronous</td><td>MOLA_CUDA_SYNCHRONOUS</td><td>true: wait after each kernel,
 * so that a failure names its operation (slow, without graphs)</td></tr>
 * </table>
 *
 * @param precision what activations are and what products multiply
 * @param kernelCache folder of compiled kernels
 * @param graph whether steps that come again are recorded
 * @param synchronous whether to wait after each kernel
 */
record CudaSettings(Precision precision, Path kernelCache, boolean graph, boolean synchronous) {
  /** As the properties and the environment say. */
  static CudaSettings ofThisProcess() {
    return new CudaSettings(
        precision(value("precision", "bf16")),
        Path.of(value("cache", defaultCache().toString())),
        Boolean.parseBoolean(value("graph", "true")),
        Boolean.parseBoolean(value("synchronous", "false")));
  }

  private static Precision precision(String name) {
    for (Precision precision : Precision.values()) {
      if (precision.name().equals(name.toUpperCase(Locale.ROOT))) {
        return precision;
      }
    }
    throw new UsageException("mola.cuda.precision is " + name + ": use bf16, tf32 or f32");
  }

  private static String value(String name, String otherwise) {
    @Nullable String value = System.getProperty("mola.cuda." + name);
    if (value == null) {
      value = System.getenv("MOLA_CUDA_" + name.toUpperCase(Locale.ROOT));
    }
    return value == null || value.isBlank() ? otherwise : value.strip();
  }

  private static Path defaultCache() {
    @Nullable String folder = System.getenv("XDG_CACHE_HOME");
    Path cache =
        folder == null || folder.isBlank()
            ? Path.of(System.getProperty("user.home", "."), ".cache")
            : Path.of(folder);
    return cache.resolve("mola").resolve("cuda");
  }
}
