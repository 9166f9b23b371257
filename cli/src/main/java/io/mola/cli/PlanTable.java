package io.mola.cli;

import io.mola.core.train.FootprintPlan;
import java.io.PrintStream;
import java.util.Locale;

/** The memory plan as a table. */
final class PlanTable {
  private PlanTable() {}

  /**
   * One line per part and the sum, in MiB; then what the limit costs, and what lies on a device.
   *
   * @param microBatches of a step
   */
  static void print(FootprintPlan plan, int microBatches, PrintStream out) {
    out.println("memory");
    plan.parts()
        .forEach(
            (part, bytes) -> out.printf(Locale.ROOT, "  %-32s %,10.1f MiB%n", part, mib(bytes)));
    out.printf(Locale.ROOT, "  %-32s %,10.1f MiB%n", "planned peak", mib(plan.totalBytes()));
    plan.savings().forEach(saving -> out.println("  to save memory, " + saving));
    plan.device().ifPresent(placement -> new DeviceTable(placement, microBatches).print(out));
  }

  /** Bytes in MiB. */
  static double mib(long bytes) {
    return bytes / (double) (1 << 20);
  }
}
