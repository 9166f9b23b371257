package io.mola.perf;

import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What one core can do: fused multiply-adds on registers alone. Ten independent chains hide the
 * latency of up to five cycles on two pipes; they fit the sixteen registers of AVX2.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class PeakFlopsBenchmark {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int ROUNDS = 10_000;
  private static final int CHAINS = 10;

  /** Multiply-adds of one core, at the preferred vector width. */
  @Benchmark
  public float oneCore(GigaFlops counter) {
    FloatVector factor = FloatVector.broadcast(SPECIES, 0.999f);
    FloatVector term = FloatVector.broadcast(SPECIES, 0.001f);
    FloatVector a = term;
    FloatVector b = term;
    FloatVector c = term;
    FloatVector d = term;
    FloatVector e = term;
    FloatVector f = term;
    FloatVector g = term;
    FloatVector h = term;
    FloatVector i = term;
    FloatVector j = term;
    for (int round = 0; round < ROUNDS; round++) {
      a = a.fma(factor, term);
      b = b.fma(factor, term);
      c = c.fma(factor, term);
      d = d.fma(factor, term);
      e = e.fma(factor, term);
      f = f.fma(factor, term);
      g = g.fma(factor, term);
      h = h.fma(factor, term);
      i = i.fma(factor, term);
      j = j.fma(factor, term);
    }
    counter.add((double) ROUNDS * CHAINS * SPECIES.length());
    return a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).lane(0);
  }
}
