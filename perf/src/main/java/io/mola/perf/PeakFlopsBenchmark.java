package io.mola.perf;

import io.mola.perf.machine.FmaPeak;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Warmup;

/** What one core can do, see {@link FmaPeak}; with JMH's {@code -t 2} two cores at once. */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class PeakFlopsBenchmark {
  /** Multiply-adds of one core, at the preferred vector width. */
  @Benchmark
  public float oneCore(RoofCounters counter) {
    counter.add(FmaPeak.flopsOfChains(), 0);
    return FmaPeak.chains();
  }
}
