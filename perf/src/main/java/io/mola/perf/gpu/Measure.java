package io.mola.perf.gpu;

import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendProvider.Availability;
import io.mola.core.backend.Backends;
import io.mola.core.quant.QuantType;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Measures the CUDA backend: {@code Measure FOLDER full|tiny SECONDS}. Writes {@code mola-gpu.json}
 * to the folder and a table to standard output. Stages run in the order of their worth; what does
 * not fit into the time is named as left out. Exit code 1 if a stage failed.
 */
public final class Measure {
  private static final JsonMapper JSON = new JsonMapper();

  private final PrintStream table;
  private final boolean tiny;
  private final long end;
  private final ObjectNode report = JSON.createObjectNode();
  private boolean failed;
  private double bestProduct; // highest rate of cuBLAS seen, TFLOP/s

  private Measure(PrintStream table, boolean tiny, Duration limit) {
    this.table = table;
    this.tiny = tiny;
    this.end = System.nanoTime() + limit.toNanos();
  }

  /** Runs all stages. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    Measure measure =
        new Measure(
            System.out,
            arguments[1].equals("tiny"),
            Duration.ofSeconds(Long.parseLong(arguments[2])));
    measure.run();
    Files.createDirectories(folder);
    Path file = folder.resolve("mola-gpu.json");
    JSON.writerWithDefaultPrettyPrinter().writeValue(file.toFile(), measure.report);
    System.out.println("\nwritten to " + file);
    System.exit(measure.failed ? 1 : 0);
  }

  private void run() {
    BackendProvider cuda = Backends.choose("cuda");
    switch (cuda.probe()) {
      case Availability.Unusable(String reason, String remedy) -> {
        table.println("cuda is unusable: " + reason + "; " + remedy);
        report.put("unusable", reason);
        failed = true;
        return;
      }
      case Availability.Usable(int priority, String detail) -> {
        table.println("device: " + detail);
        report.put("device", detail);
      }
    }
    report.put("java", System.getProperty("java.version"));
    stage("products of cuBLAS", 10, this::products);
    stage("training", 60, this::training);
    stage("operations", 30, this::operations);
    stage("contracts f32", 20, () -> contracts("f32"));
    stage("contracts bf16", 20, () -> contracts("bf16"));
  }

  /** Runs the stage if that many seconds are left. */
  private void stage(String name, int seconds, Runnable stage) {
    if (secondsLeft() < seconds) {
      leaveOut(name);
      return;
    }
    table.println("\n" + name);
    long start = System.nanoTime();
    try {
      stage.run();
    } catch (RuntimeException | LinkageError e) {
      failed = true;
      table.println("  FAILED: " + e.getMessage());
      report.withArray("failures").add(name + ": " + e);
    }
    report.withObject("stageSeconds").put(name, (System.nanoTime() - start) / 1e9);
  }

  private double secondsLeft() {
    return (end - System.nanoTime()) / 1e9;
  }

  private void leaveOut(String name) {
    table.println("\n" + name + ": left out, no time is left");
    report.withArray("leftOut").add(name);
  }

  private BaseShape shape() {
    return tiny ? BaseShape.TINY : BaseShape.SEVEN_BILLION;
  }

  private void products() {
    ArrayNode rates = report.withArray("cublas");
    BaseShape shape = shape();
    int tokens = tiny ? 64 : 8192;
    for (ProductRate product :
        List.of(
            new ProductRate(tokens, shape.hidden, shape.hidden),
            new ProductRate(tokens, shape.wide, shape.hidden),
            new ProductRate(tokens, shape.hidden, shape.wide))) {
      double teraFlops = product.flops() / product.seconds() / 1e12;
      bestProduct = Math.max(bestProduct, teraFlops);
      table.printf(
          "  [%d, %d] x [%d, %d]  %9.3f TFLOP/s%n",
          product.tokens(), product.in(), product.in(), product.out(), teraFlops);
      rates
          .addObject()
          .put("tokens", product.tokens())
          .put("out", product.out())
          .put("in", product.in())
          .put("teraFlops", teraFlops);
    }
  }

  private void operations() {
    ArrayNode rates = report.withArray("operations");
    for (OperationRates.Rate rate : new OperationRates(shape(), tiny ? 64 : 4096).measure()) {
      double gigaBytes = rate.bytes() / rate.seconds() / 1e9;
      double teraFlops = rate.flops() / rate.seconds() / 1e12;
      table.printf(
          "  %-28s %10.1f us  %9.1f GB/s  %9.3f TFLOP/s%n",
          rate.name(), rate.seconds() * 1e6, gigaBytes, teraFlops);
      rates
          .addObject()
          .put("name", rate.name())
          .put("microseconds", rate.seconds() * 1e6)
          .put("gigaBytesPerSecond", gigaBytes)
          .put("teraFlops", teraFlops);
    }
  }

  private void training() {
    DeviceMemory memory = new DeviceMemory();
    int steps = tiny ? 3 : 5;
    BaseShape small = tiny ? BaseShape.TINY : BaseShape.ONE_BILLION;
    List<TrainingRate> runs =
        tiny
            ? List.of(
                new TrainingRate(small, QuantType.BF16, 2, 32, steps),
                new TrainingRate(small, QuantType.Q8_0, 2, 32, steps),
                new TrainingRate(small, QuantType.Q4_K, 2, 32, steps))
            : List.of(
                new TrainingRate(BaseShape.SEVEN_BILLION, QuantType.Q4_K, 4, 1024, steps),
                new TrainingRate(BaseShape.SEVEN_BILLION, QuantType.BF16, 4, 1024, steps),
                new TrainingRate(BaseShape.ONE_BILLION, QuantType.BF16, 8, 1024, steps),
                new TrainingRate(BaseShape.ONE_BILLION, QuantType.Q4_K, 8, 1024, steps),
                new TrainingRate(BaseShape.ONE_BILLION, QuantType.Q8_0, 8, 1024, steps),
                new TrainingRate(BaseShape.SEVEN_BILLION, QuantType.Q8_0, 4, 1024, steps));
    for (TrainingRate run : runs) {
      train(run, memory, true);
    }
    train(runs.get(tiny ? 0 : 2), memory, false);
  }

  /** One run, with or without recorded graphs. */
  private void train(TrainingRate run, DeviceMemory memory, boolean graph) {
    String label = run.label() + (graph ? "" : ", no graph");
    if (secondsLeft() < (tiny ? 1 : 40)) {
      leaveOut(label);
      return;
    }
    System.setProperty("mola.cuda.graph", Boolean.toString(graph));
    TrainingRate.Measured m;
    try {
      m = run.run(memory);
    } finally {
      System.clearProperty("mola.cuda.graph");
    }
    double utilisation = bestProduct > 0 ? m.teraFlops() / bestProduct : 0;
    table.printf(
        "  %-36s %9.0f tokens/s  %9.1f ms/step  %8.2f TFLOP/s (%.0f %% of cuBLAS)  plan %,d MiB + frozen %,d MiB, peak"
            + " %,d MiB, loss %.3f -> %.3f%n",
        label,
        m.tokensPerSecond(),
        m.stepMillis(),
        m.teraFlops(),
        100 * utilisation,
        m.plannedBytes() >> 20,
        m.frozenBytes() >> 20,
        m.peakDeviceBytes() >> 20,
        m.firstLoss(),
        m.lastLoss());
    report
        .withArray("training")
        .addObject()
        .put("name", label)
        .put("graph", graph)
        .put("tokensPerSecond", m.tokensPerSecond())
        .put("stepMillis", m.stepMillis())
        .put("teraFlops", m.teraFlops())
        .put("shareOfCublas", utilisation)
        .put("plannedBytes", m.plannedBytes())
        .put("frozenBytes", m.frozenBytes())
        .put("peakDeviceBytes", m.peakDeviceBytes())
        .put("firstLoss", m.firstLoss())
        .put("lastLoss", m.lastLoss());
  }

  private void contracts(String precision) {
    DeviceContracts.Found found = DeviceContracts.run(precision);
    table.printf("  %d passed, %d failed%n", found.passed(), found.failures().size());
    ObjectNode node = report.withObject("contracts").putObject(precision);
    node.put("passed", found.passed());
    ArrayNode failures = node.putArray("failures");
    for (String failure : found.failures()) {
      failed = true;
      table.println("  " + failure);
      failures.add(failure);
    }
  }
}
