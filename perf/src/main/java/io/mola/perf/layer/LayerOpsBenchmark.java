package io.mola.perf.layer;

import io.mola.perf.RoofCounters;
import io.mola.perf.machine.FmaPeak;
import io.mola.perf.machine.Triad;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One operation other than a product. The machine's limits are measured before each iteration, with
 * as many threads as the operation has.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH sets the parameters, then calls prepare
public class LayerOpsBenchmark {
  private static final double LIMIT_SECONDS = 0.05;

  /** What computes. */
  @Param("simd")
  public String backend;

  /** Its threads. */
  @Param("2")
  public int threads;

  /** Sizes of the model and the batch. */
  @Param({"smollm2", "tinyllama"})
  public String model;

  /** Which operation. */
  @Param({
    "norm forward",
    "norm backward",
    "rotary",
    "attention forward",
    "attention backward",
    "swiglu forward",
    "swiglu backward",
    "cross-entropy head",
    "add",
    "zero",
    "squared norm",
    "adamw"
  })
  public String operation;

  private LayerBuffers buffers;
  private Operation chosen;
  private Triad triad;
  private double roofSeconds;

  /**
   * Compares all operations with the reference backend on a small batch, and makes the operands.
   */
  @Setup(Level.Trial)
  public void prepare() {
    FmaPeak.warmUp(threads);
    LayerShape shape = LayerShape.named(model);
    LayerCheck.accept(backend, threads, shape);
    buffers = new LayerBuffers(backend, threads, shape);
    for (Operation each : new LayerOperations(buffers).all()) {
      each.call().run(); // what comes later reads what comes before it
      if (each.name().equals(operation)) {
        chosen = each;
        triad = new Triad(threads, each.workingSet());
        return;
      }
    }
    throw new IllegalArgumentException("no operation " + operation);
  }

  /** What the cores can do now. */
  @Setup(Level.Iteration)
  public void measureLimits() {
    roofSeconds =
        chosen.roofSeconds(
            triad.bytesPerSecond(LIMIT_SECONDS), FmaPeak.flopsPerSecond(threads, LIMIT_SECONDS));
  }

  /** The operation, to its end. */
  @Benchmark
  public void run(RoofCounters counters) {
    chosen.call().run();
    counters.add(chosen.flops(), roofSeconds);
  }

  /** Frees the buffers and ends the backend's threads. */
  @TearDown(Level.Trial)
  public void close() {
    buffers.close();
  }
}
