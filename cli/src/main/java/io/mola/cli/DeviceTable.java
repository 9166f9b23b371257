package io.mola.cli;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.backend.DevicePlacement.Streaming;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What a run takes of a device with memory of its own, and where its frozen weights lie.
 *
 * @param placement as planned
 * @param microBatches of a step
 */
record DeviceTable(DevicePlacement placement, int microBatches) {
  private static final double GIGA = 1e9;

  /** One line per part, the sum, and how the frozen weights lie. */
  void print(PrintStream out) {
    out.printf("memory of %s%n", placement.device());
    placement
        .parts()
        .forEach((part, bytes) -> {
          if (bytes > 0) {
            out.printf(Locale.ROOT, "  %-32s %,10.1f MiB%n", part, PlanTable.mib(bytes));
          }
        });
    out.printf(
        Locale.ROOT,
        "  %-32s %,10.1f MiB of %,.1f MiB free, %,.1f MiB in all%n",
        "planned",
        PlanTable.mib(placement.plannedBytes()),
        PlanTable.mib(placement.freeBytes()),
        PlanTable.mib(placement.totalBytes()));
    out.println(frozen());
  }

  private String frozen() {
    long streamed = placement.frozen().streamedBytes();
    if (streamed == 0) {
      return "all frozen weights stay on the device";
    }
    Streaming streaming = placement.streaming();
    return String.format(
        Locale.ROOT,
        "%,.1f MiB of frozen weights stream from host memory, beside the computation: %,.1f MiB a"
            + " step, about %.3g s at %.0f GB/s (%s)",
        PlanTable.mib(streamed),
        PlanTable.mib(streaming.bytesPerStep(microBatches)),
        streaming.secondsPerStep(microBatches),
        streaming.bytesPerSecond() / GIGA,
        streaming.rateSource());
  }

  /** The same for programs. */
  Map<String, Object> answer() {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("name", placement.device());
    answer.put("total_bytes", placement.totalBytes());
    answer.put("free_bytes", placement.freeBytes());
    answer.put("planned_bytes", placement.plannedBytes());
    answer.put("fits", placement.fits());
    answer.put("parts", placement.parts());
    answer.put("streamed_weights_bytes", placement.frozen().streamedBytes());
    answer.put("streamed_bytes_per_step", placement.streaming().bytesPerStep(microBatches));
    answer.put("streaming_seconds_per_step", placement.streaming().secondsPerStep(microBatches));
    answer.put("streaming_bytes_per_second", placement.streaming().bytesPerSecond());
    answer.put("streaming_rate_source", placement.streaming().rateSource());
    return answer;
  }
}
