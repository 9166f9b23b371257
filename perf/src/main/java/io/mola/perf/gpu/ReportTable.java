package io.mola.perf.gpu;

import java.io.PrintStream;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The report as text. */
final class ReportTable {
  private final JsonNode root;
  private final JsonNode sections;
  private final PrintStream out;

  ReportTable(JsonNode root, PrintStream out) {
    this.root = root;
    this.sections = root.path("sections");
    this.out = out;
  }

  void print() {
    line("mola on %s, %s".formatted(text(root, "machine"), text(root, "date")));
    line("device: %s".formatted(result("probe").path("device").asString("none that can be used")));
    line("");
    line("%-34s %-10s %8s %8s".formatted("section", "", "seconds", "limit"));
    for (Map.Entry<String, JsonNode> section : sections.properties()) {
      section(section.getKey(), section.getValue());
    }
    checks();
    limits();
    operations();
    training();
    torch();
    line("");
    line(
        root.path("ok").asBoolean(false)
            ? "all sections that ran are good"
            : "SECTIONS FAILED, see above");
  }

  private void section(String name, JsonNode section) {
    line(
        "%-34s %-10s %8d %8d"
            .formatted(
                name,
                text(section, "status"),
                section.path("seconds").asInt(0),
                section.path("limitSeconds").asInt(0)));
    text(section, "message").lines().forEach(said -> line("    %s".formatted(said)));
  }

  private void checks() {
    title("checks");
    for (String precision : new String[] {"f32", "bf16"}) {
      JsonNode found = result("contracts-" + precision);
      if (found.has("passed")) {
        line(
            "  contract of backends, %-4s  %5d passed, %d failed"
                .formatted(
                    precision, found.path("passed").asInt(0), found.path("failed").asInt(0)));
      }
      cases("recorded cases, " + precision, result("goldens-" + precision));
      cases("against simd, " + precision, result("parity-" + precision));
    }
    for (String tool : new String[] {"memcheck", "racecheck"}) {
      for (JsonNode said : sections.path(tool).path("sanitizer")) {
        if (said.asString("").contains("SUMMARY")) {
          line("  %s %s".formatted(tool, said.asString("")));
        }
      }
    }
  }

  private void cases(String name, JsonNode found) {
    if (!found.has("cases")) {
      return;
    }
    int failed = 0;
    for (JsonNode each : found.path("cases")) {
      failed += each.path("ok").asBoolean(false) ? 0 : 1;
    }
    line("  %-26s  %5d cases, %d failed".formatted(name, found.path("cases").size(), failed));
  }

  private void limits() {
    title("limits");
    line(
        "  %-36s %9.1f GB/s"
            .formatted(
                "copy within the device", number(result("limits"), "copyGigaBytesPerSecond")));
    for (JsonNode product : result("limits").path("products")) {
      String shape =
          "cuBLAS [%d, %d] x [%d, %d]"
              .formatted(
                  product.path("tokens").asInt(0),
                  product.path("in").asInt(0),
                  product.path("in").asInt(0),
                  product.path("out").asInt(0));
      line("  %-36s %9.3f TFLOP/s".formatted(shape, number(product, "teraFlops")));
    }
  }

  private void operations() {
    title("operations: at least these bytes or operations per second; share of what limits them");
    for (JsonNode rate : result("operations").path("rates")) {
      line(
          "  %-26s %10.1f us %9.1f GB/s %9.3f TFLOP/s %5.1f %% of %s"
              .formatted(
                  text(rate, "name"),
                  number(rate, "microseconds"),
                  number(rate, "gigaBytesPerSecond"),
                  number(rate, "teraFlops"),
                  100 * number(rate, "shareOfLimit"),
                  text(rate, "boundBy")));
    }
  }

  private void training() {
    title("training; MFU counts the model once, against the data sheet; memory in MiB");
    line(
        "  %-38s %9s %9s %9s %6s %9s %8s %8s %8s  %s"
            .formatted(
                "",
                "tokens/s",
                "ms/step",
                "TFLOP/s",
                "MFU %",
                "% cuBLAS",
                "plan",
                "frozen",
                "peak",
                "loss"));
    for (JsonNode section : sections) {
      JsonNode run = section.path("result");
      if (run.has("modelTeraFlops")) {
        JsonNode losses = run.path("losses");
        line(
            "  %-38s %9.0f %9.1f %9.2f %6s %9.1f %8d %8d %8d  %.3f to %.3f"
                .formatted(
                    text(run, "name") + (run.path("graph").asBoolean(false) ? "" : ", no graph"),
                    number(run, "tokensPerSecond"),
                    number(run, "stepMillis"),
                    number(run, "modelTeraFlops"),
                    run.has("mfu") ? "%.1f".formatted(100 * number(run, "mfu")) : "-",
                    100 * number(run, "shareOfCublas"),
                    run.path("plannedBytes").asLong(0) >> 20,
                    run.path("frozenBytes").asLong(0) >> 20,
                    run.path("peakDeviceBytes").asLong(0) >> 20,
                    losses.path(0).asDouble(0),
                    losses.path(losses.size() - 1).asDouble(0)));
      }
    }
  }

  private void torch() {
    JsonNode rows = result("torch").path("rows");
    if (rows.isEmpty()) {
      return;
    }
    title("PyTorch " + text(result("torch"), "torch") + " beside it");
    for (JsonNode row : rows) {
      JsonNode losses = row.path("losses");
      line(
          "  %-38s %9.0f %9.1f  on %s, peak %d MiB, loss %.3f to %.3f"
              .formatted(
                  text(row, "name"),
                  number(row, "tokensPerSecond"),
                  number(row, "stepMillis"),
                  text(row, "device"),
                  row.path("peakDeviceBytes").asLong(0) >> 20,
                  losses.path(0).asDouble(0),
                  losses.path(losses.size() - 1).asDouble(0)));
    }
  }

  private JsonNode result(String section) {
    return sections.path(section).path("result");
  }

  private static String text(JsonNode node, String name) {
    return node.path(name).asString("");
  }

  private static double number(JsonNode node, String name) {
    return node.path(name).asDouble(0);
  }

  private void title(String text) {
    line("");
    line(text);
  }

  private void line(String text) {
    out.println(text);
  }
}
