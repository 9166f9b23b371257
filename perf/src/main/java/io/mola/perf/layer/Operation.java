package io.mola.perf.layer;

import java.util.List;

/**
 * One operation on planned buffers.
 *
 * @param bytes that it must read and write at least
 * @param workingSet bytes of all its buffers, each once
 * @param flops of its formula; a fused multiply-add counts as two, an exponential as {@value
 *     #EXPONENTIAL}
 * @param outputs what to compare
 */
record Operation(
    String name,
    double bytes,
    double workingSet,
    double flops,
    List<Output> outputs,
    Runnable call) {
  /** A polynomial of degree 7, the reduction of the argument and the scaling. */
  static final int EXPONENTIAL = 23;

  /** Least seconds of the call. */
  double roofSeconds(double bytesPerSecond, double flopsPerSecond) {
    return Math.max(bytes / bytesPerSecond, flops / flopsPerSecond);
  }

  boolean isBoundByBytes(double bytesPerSecond, double flopsPerSecond) {
    return bytes / bytesPerSecond >= flops / flopsPerSecond;
  }
}
