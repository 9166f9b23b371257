package io.mola.cli;

import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;

/** The backend that {@code --backend} and {@code --threads} ask for. */
final class ComputeSettings {
  /** Share of the machine's memory that a run may use if the user sets no limit. */
  private static final double DEFAULT_SHARE = 0.75;

  private ComputeSettings() {}

  /** Opens it with a weight cache as large as the heap allows beside everything else. */
  static Backend open(Settings settings) {
    return Backends.choose(settings.get(Keys.BACKEND))
        .open(new BackendSettings(threads(settings), Runtime.getRuntime().maxMemory() / 2));
  }

  /** Worker threads. */
  static int threads(Settings settings) {
    return settings.find(Keys.THREADS).orElse(Runtime.getRuntime().availableProcessors());
  }

  /** Bytes that a run may use. */
  static long memoryLimit(Settings settings) {
    return settings.find(Keys.MAX_MEMORY).orElseGet(() -> (long) (DEFAULT_SHARE * machineMemory()));
  }

  private static long machineMemory() {
    return ((com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean())
        .getTotalMemorySize();
  }
}
