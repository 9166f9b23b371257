package io.mola.core.backend;

/**
 * How a backend is opened.
 *
 * @param threads worker threads including the caller; at least 1
 * @param weightCacheBytes memory that the backend may use to keep frozen weights in a form of its
 *     own (packed panels); 0: decode from the file at each use
 */
public record BackendSettings(int threads, long weightCacheBytes) {
  /** Checks the ranges. */
  public BackendSettings {
    if (threads < 1 || weightCacheBytes < 0) {
      throw new IllegalArgumentException(
          "threads " + threads + ", weight cache " + weightCacheBytes + " bytes");
    }
  }

  /** All processors of this machine and no limit on the weight cache. */
  public static BackendSettings ofThisMachine() {
    return new BackendSettings(Runtime.getRuntime().availableProcessors(), Long.MAX_VALUE);
  }
}
