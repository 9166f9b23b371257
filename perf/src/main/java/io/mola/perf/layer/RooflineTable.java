package io.mola.perf.layer;

import io.mola.perf.machine.Arguments;
import io.mola.perf.machine.FmaPeak;
import io.mola.perf.machine.Median;
import io.mola.perf.machine.Repetition;
import io.mola.perf.machine.Triad;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Measures every operation, and in the same rounds the triad of its size and the peak. */
final class RooflineTable {
  private static final double PEAK_SECONDS = 0.02;
  private static final double TRIAD_SECONDS = 0.03;
  private static final double WARM_UP_SECONDS = 0.7;

  private final int threads;
  private final int rounds;
  private final double seconds;
  private final PrintStream to;

  RooflineTable(int threads, int rounds, double seconds, PrintStream to) {
    this.threads = threads;
    this.rounds = rounds;
    this.seconds = seconds;
    this.to = to;
  }

  /** What was found of one operation; rates of the machine are those of its own rounds. */
  private static final class Row {
    final Operation operation;
    final Triad triad;
    final Median seconds = new Median();
    final Median bandwidth = new Median();
    final Median peak = new Median();

    Row(Operation operation, int threads) {
      this.operation = operation;
      triad = new Triad(threads, operation.workingSet());
    }
  }

  void measure(LayerShape shape) {
    LayerCheck.accept("simd", threads, shape);
    FmaPeak.warmUp(threads);
    try (LayerBuffers buffers = new LayerBuffers("simd", threads, shape)) {
      List<Row> rows = new ArrayList<>();
      for (Operation operation : new LayerOperations(buffers).all()) {
        Repetition.secondsPerCall(operation.call(), WARM_UP_SECONDS);
        rows.add(new Row(operation, threads));
      }
      for (int round = 0; round < rounds; round++) {
        rows.forEach(this::runOnce);
      }
      print(shape, rows);
    }
  }

  private void runOnce(Row row) {
    row.peak.add(FmaPeak.flopsPerSecond(threads, PEAK_SECONDS));
    row.bandwidth.add(row.triad.bytesPerSecond(TRIAD_SECONDS));
    row.seconds.add(Repetition.secondsPerCall(row.operation.call(), seconds));
  }

  private void print(LayerShape shape, List<Row> rows) {
    to.printf(
        "%s, %d sequences of %d tokens, %d threads, medians of %d rounds%n",
        shape.name(), shape.segments(), shape.length(), threads, rounds);
    to.printf(
        "%-20s%10s%9s%9s%9s%9s%9s%9s%8s  %s%n",
        "", "us", "MB", "GFLOP", "GB/s", "GFLOP/s", "triad", "peak", "of roof", "bound by");
    for (Row row : rows) {
      Operation operation = row.operation;
      double time = row.seconds.value();
      double bandwidth = row.bandwidth.value();
      double peak = row.peak.value();
      to.printf(
          "%-20s%10.0f%9.2f%9.3f%9.1f%9.1f%9.1f%9.0f%7.0f%%  %s%n",
          operation.name(),
          1e6 * time,
          operation.bytes() / 1e6,
          operation.flops() / 1e9,
          operation.bytes() / time / 1e9,
          operation.flops() / time / 1e9,
          bandwidth / 1e9,
          peak / 1e9,
          100 * operation.roofSeconds(bandwidth, peak) / time,
          operation.isBoundByBytes(bandwidth, peak) ? "bytes" : "arithmetic");
    }
    to.println();
  }

  /**
   * {@code perf/benchmark rooflines [--quick] [--models smollm2,tinyllama] [--threads N] [--rounds
   * N] [--milliseconds N]}.
   */
  public static void main(String[] args) {
    Arguments arguments =
        Arguments.parse(args, "quick", "models", "threads", "rounds", "milliseconds");
    boolean quick = arguments.has("quick");
    RooflineTable table =
        new RooflineTable(
            arguments.number("threads", Runtime.getRuntime().availableProcessors()),
            arguments.number("rounds", quick ? 3 : 7),
            arguments.number("milliseconds", 60) / 1000.0,
            System.out);
    String models = arguments.text("models", quick ? "smollm2" : "smollm2,tinyllama");
    for (String model : models.split(",", -1)) {
      table.measure(LayerShape.named(model));
    }
  }
}
