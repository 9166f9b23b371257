package io.mola.perf.gpu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** Memory in use on the first device, as nvidia-smi tells; unknown where there is none. */
final class DeviceMemory {
  private static final long INTERVAL_MILLIS = 250;

  /** Bytes in use by all programs, 0 if unknown. */
  long usedBytes() {
    try {
      Process query =
          new ProcessBuilder(
                  "nvidia-smi",
                  "--id=0",
                  "--query-gpu=memory.used",
                  "--format=csv,noheader,nounits")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      String text =
          new String(query.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
      boolean ended = query.waitFor(5, TimeUnit.SECONDS);
      return ended && query.exitValue() == 0 ? Long.parseLong(text) << 20 : 0;
    } catch (IOException noSuchProgram) {
      return 0;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 0;
    }
  }

  /** Starts to look, until it is stopped. */
  Peak watch() {
    Peak peak = new Peak();
    if (usedBytes() > 0) {
      peak.thread.start();
    }
    return peak;
  }

  /** The highest use seen. */
  final class Peak {
    private volatile long bytes;
    private final Thread thread = new Thread(this::look, "device memory");

    private Peak() {
      thread.setDaemon(true);
    }

    private void look() {
      try {
        while (true) {
          bytes = Math.max(bytes, usedBytes());
          Thread.sleep(INTERVAL_MILLIS);
        }
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
      }
    }

    void stop() {
      thread.interrupt();
    }

    long bytes() {
      return bytes;
    }
  }
}
