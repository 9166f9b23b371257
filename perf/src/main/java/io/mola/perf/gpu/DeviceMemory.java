package io.mola.perf.gpu;

import org.jspecify.annotations.Nullable;

/**
 * The highest use of the device's memory while something runs, looked at from a thread beside it.
 */
final class DeviceMemory implements AutoCloseable {
  private static final long INTERVAL_MILLIS = 5;

  private final Thread thread = new Thread(this::look, "device memory");
  private volatile boolean stopped;
  private volatile long before = -1;
  private volatile long peak;
  private volatile @Nullable RuntimeException failure;

  /** Starts to look; what is in use now counts as used by others. */
  DeviceMemory() {
    thread.setDaemon(true);
    thread.start();
    while (before < 0 && failure == null) {
      Thread.onSpinWait();
    }
  }

  private void look() {
    try (DeviceContext device = new DeviceContext()) {
      before = device.usedBytes();
      while (!stopped) {
        peak = Math.max(peak, device.usedBytes());
        Thread.sleep(INTERVAL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  /** Stops looking. */
  @Override
  public void close() {
    stopped = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * The highest use seen, above what was in use at the start, in bytes.
   *
   * @throws RuntimeException that of the look that failed
   */
  long peakBytes() {
    RuntimeException failed = failure;
    if (failed != null) {
      throw failed;
    }
    return Math.max(0, peak - before);
  }
}
