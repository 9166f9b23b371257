package io.mola.perf;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Counts work; JMH divides by the measured time. */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class RoofCounters {
  /** Floating-point operations so far, in units of 1e9; a fused multiply-add counts as two. */
  public double gflop;

  /**
   * Seconds so far that the machine would have needed at its measured best; divided by the time,
   * the share of the roof that was reached.
   */
  public double ofRoof;

  /** Adds work of which {@code roofSeconds} is the least time. */
  public void add(double flops, double roofSeconds) {
    gflop += 1e-9 * flops;
    ofRoof += roofSeconds;
  }
}
