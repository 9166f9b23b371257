package io.mola.perf.product;

import io.mola.core.quant.QuantType;
import io.mola.perf.RoofCounters;
import io.mola.perf.machine.FmaPeak;
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
 * Products with one frozen matrix, both directions. The peak is measured before each iteration,
 * with as many threads as the product has.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH sets the parameters, then calls prepare
public class ProductsBenchmark {
  private static final double PEAK_SECONDS = 0.1;

  /** What computes: a backend, {@code simd-uncached}, or a library ({@code openblas}, mkl). */
  @Param("simd")
  public String implementation;

  /** Its threads. */
  @Param({"1"})
  public int threads;

  /** Encoding of the matrix; libraries get it as floats. */
  @Param({"F32", "F16", "Q8_0", "Q4_1", "Q4_K"})
  public String quant;

  /** out x in. */
  @Param({"576x576", "1536x576", "576x1536"})
  public String shape;

  /** Rows of x. */
  @Param("672")
  public int tokens;

  private FrozenProduct product;
  private double flops;
  private double roofSeconds;

  /** Makes the operands and compares a few rows with the reference backend. */
  @Setup(Level.Trial)
  public void prepare() {
    FmaPeak.warmUp(threads);
    Operands operands =
        Operands.random(QuantType.valueOf(quant), ProductShape.parse(shape), tokens);
    flops = 2.0 * tokens * operands.out() * operands.in();
    product = new Implementation(implementation).open(operands, threads);
    new ProductCheck(operands).accept(implementation, product);
  }

  /** What the cores can do now. */
  @Setup(Level.Iteration)
  public void measurePeak() {
    roofSeconds = flops / FmaPeak.flopsPerSecond(threads, PEAK_SECONDS);
  }

  /** y = x · Wᵀ. */
  @Benchmark
  public void forward(RoofCounters counters) {
    product.forward(tokens);
    counters.add(flops, roofSeconds);
  }

  /** dx += dy · W. */
  @Benchmark
  public void backward(RoofCounters counters) {
    product.backward(tokens);
    counters.add(flops, roofSeconds);
  }

  /** Frees the buffers and ends the threads. */
  @TearDown(Level.Trial)
  public void close() {
    product.close();
  }
}
