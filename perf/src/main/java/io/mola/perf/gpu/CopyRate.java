package io.mola.perf.gpu;

import static io.mola.perf.gpu.DeviceContext.check;
import static org.bytedeco.cuda.global.cudart.cuMemcpyDtoDAsync;

/**
 * The rate at which the device's memory is read and written by a plain copy: what operations that
 * are bound by memory are compared with.
 *
 * @param bytes copied, far more than the device's caches hold
 */
record CopyRate(long bytes) {
  /** Bytes read plus bytes written per second. */
  double bytesPerSecond() {
    try (DeviceContext device = new DeviceContext()) {
      long from = device.allocate(bytes / 2);
      long to = device.allocate(bytes / 2);
      double seconds =
          Timing.secondsOf(
              () -> check(cuMemcpyDtoDAsync(to, from, bytes, null), "cuMemcpyDtoDAsync"),
              device::await);
      return 2 * bytes / seconds;
    }
  }
}
