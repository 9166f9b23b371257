package io.mola.cli;

import io.mola.core.backend.OperationTimes;
import io.mola.core.train.StepProfile;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The operations of a training step, and what they leave as "other": lines that add up. */
final class ProfileTable {
  private static final String OTHER = "other";

  private ProfileTable() {}

  /** One line per operation, per step; nothing if no step was measured. */
  static void print(StepProfile profile, PrintStream out) {
    if (profile.steps() == 0) {
      return;
    }
    out.printf(
        "%-32s %10s %10s %7s %11s %9s%n",
        "operation", "calls/step", "ms/step", "share", "GFLOP/step", "GFLOP/s");
    rows(profile).forEach(row -> line(row, profile, out));
    double flop = rows(profile).stream().mapToDouble(OperationTimes.Row::flop).sum();
    line(new OperationTimes.Row("step", profile.steps(), profile.nanos(), flop), profile, out);
  }

  private static List<OperationTimes.Row> rows(StepProfile profile) {
    List<OperationTimes.Row> rows = new ArrayList<>(profile.operations());
    rows.add(new OperationTimes.Row(OTHER, profile.steps(), profile.otherNanos(), 0));
    return rows;
  }

  private static void line(OperationTimes.Row row, StepProfile profile, PrintStream out) {
    double steps = profile.steps();
    out.printf(
        Locale.ROOT,
        "%-32s %10.1f %10.2f %6.1f%% %11s %9s%n",
        row.operation(),
        row.calls() / steps,
        row.nanos() / steps / 1e6,
        100.0 * row.nanos() / profile.nanos(),
        row.flop() == 0 ? "" : String.format(Locale.ROOT, "%.2f", row.flop() / steps / 1e9),
        row.flop() == 0 ? "" : String.format(Locale.ROOT, "%.1f", row.flop() / row.nanos()));
  }

  /** The same for programs. */
  static Map<String, Object> answer(StepProfile profile) {
    Map<String, Object> answer = new LinkedHashMap<>();
    double steps = Math.max(1, profile.steps());
    answer.put("steps", profile.steps());
    answer.put("seconds_per_step", profile.nanos() / steps / 1e9);
    List<Map<String, Object>> operations = new ArrayList<>();
    for (OperationTimes.Row row : rows(profile)) {
      Map<String, Object> operation = new LinkedHashMap<>();
      operation.put("operation", row.operation());
      operation.put("calls_per_step", row.calls() / steps);
      operation.put("seconds_per_step", row.nanos() / steps / 1e9);
      operation.put("gflop_per_step", row.flop() / steps / 1e9);
      operations.add(operation);
    }
    answer.put("operations", operations);
    return answer;
  }
}
