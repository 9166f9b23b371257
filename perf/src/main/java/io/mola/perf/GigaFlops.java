package io.mola.perf;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Counts floating-point operations; JMH divides by the measured time. */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class GigaFlops {
  /** Operations so far, in units of 1e9; a fused multiply-add counts as two. */
  public double gflop;

  /** Adds a matrix product with that many multiply-adds. */
  void add(double multiplyAdds) {
    gflop += 2e-9 * multiplyAdds;
  }
}
