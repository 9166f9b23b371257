package io.mola.perf.gpu;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Joins what the sections of a measurement left: {@code Report FOLDER full|tiny MACHINE} reads
 * {@code FOLDER/parts}, writes {@code FOLDER/mola-gpu.json} and {@code FOLDER/table.txt}, and
 * prints the table. Exit code 1 if a section failed.
 */
public final class Report {
  private static final JsonMapper JSON = new JsonMapper();

  private final List<SectionRun> runs;
  private final ObjectNode root = JSON.createObjectNode();

  private Report(List<SectionRun> runs) {
    this.runs = runs;
  }

  /** Joins, writes and prints. */
  public static void main(String[] arguments) throws IOException {
    Locale.setDefault(Locale.ROOT);
    Path folder = Path.of(arguments[0]);
    Report report = new Report(SectionRun.read(folder.resolve("parts")));
    report.join(arguments[1], arguments[2]);
    Path json = folder.resolve("mola-gpu.json");
    Files.writeString(
        json, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(report.root) + "\n");
    Path table = folder.resolve("table.txt");
    try (PrintStream out =
        new PrintStream(Files.newOutputStream(table), false, StandardCharsets.UTF_8)) {
      new ReportTable(report.root, out).print();
    }
    System.out.print(Files.readString(table));
    System.out.println("\nwritten to " + json + " and " + table);
    System.exit(report.runs.stream().anyMatch(SectionRun::failed) ? 1 : 0);
  }

  private void join(String scale, String machine) {
    root.put("ok", runs.stream().noneMatch(SectionRun::failed));
    root.put("scale", scale).put("machine", machine);
    root.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    root.put("seconds", runs.stream().mapToInt(SectionRun::seconds).sum());
    ObjectNode sections = root.putObject("sections");
    for (SectionRun run : runs) {
      ObjectNode section = sections.putObject(run.name());
      section.put("status", run.status());
      section.put("seconds", run.seconds()).put("limitSeconds", run.limit());
      if (!run.status().equals("ok")) {
        section.put("exitStatus", run.exitStatus()).put("message", run.message());
      }
      run.result().ifPresent(result -> section.set("result", result));
      if (!run.sanitizerLines().isEmpty()) {
        ArrayNode said = section.putArray("sanitizer");
        for (String line : run.sanitizerLines()) {
          said.add(line);
        }
      }
    }
    compareWithLimits(sections);
  }

  /** Shares of what the device was measured to do at most, and of its data sheet. */
  private static void compareWithLimits(ObjectNode sections) {
    JsonNode limits = sections.path("limits").path("result");
    double bytes = limits.path("copyGigaBytesPerSecond").asDouble(0) * 1e9;
    double flops = limits.path("cublasTeraFlops").asDouble(0) * 1e12;
    for (JsonNode rate : sections.path("operations").path("result").path("rates")) {
      compare((ObjectNode) rate, bytes, flops);
    }
    Optional<Double> dataSheet =
        DataSheet.bf16TeraFlops(sections.path("probe").path("result").path("device").asString(""));
    dataSheet.ifPresent(peak ->
        ((ObjectNode) sections.path("probe").path("result")).put("dataSheetTeraFlops", peak));
    for (JsonNode section : sections) {
      JsonNode result = section.path("result");
      if (result.has("modelTeraFlops")) {
        double rate = result.path("modelTeraFlops").asDouble(0);
        if (flops > 0) {
          ((ObjectNode) result).put("shareOfCublas", rate * 1e12 / flops);
        }
        dataSheet.ifPresent(peak -> ((ObjectNode) result).put("mfu", rate / peak));
      }
    }
  }

  /** An operation is bound by what would take longer at the measured limits. */
  private static void compare(ObjectNode rate, double bytesPerSecond, double flopsPerSecond) {
    double seconds = rate.path("microseconds").asDouble(0) / 1e6;
    double bytes = rate.path("bytes").asDouble(0);
    double flops = rate.path("flops").asDouble(0);
    rate.put("gigaBytesPerSecond", bytes / seconds / 1e9);
    rate.put("teraFlops", flops / seconds / 1e12);
    if (bytesPerSecond > 0 && flopsPerSecond > 0) {
      double byMemory = bytes / bytesPerSecond;
      double byProducts = flops / flopsPerSecond;
      rate.put("boundBy", byMemory >= byProducts ? "memory" : "products");
      rate.put("shareOfLimit", Math.max(byMemory, byProducts) / seconds);
    }
  }
}
