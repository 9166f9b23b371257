package io.mola.perf.gpu;

/** Times queued work: many calls, then one wait. */
final class Timing {
  private static final double ENOUGH_SECONDS = 0.25;
  private static final int MOST_CALLS = 10_000;

  private Timing() {}

  /**
   * Seconds per call, after a warm-up.
   *
   * @param call queues the work once
   * @param wait until all queued work is done
   */
  static double secondsOf(Runnable call, Runnable wait) {
    for (int i = 0; i < 2; i++) {
      call.run();
    }
    wait.run();
    for (int calls = 1; ; calls *= 2) {
      long start = System.nanoTime();
      for (int i = 0; i < calls; i++) {
        call.run();
      }
      wait.run();
      double seconds = (System.nanoTime() - start) / 1e9;
      if (seconds >= ENOUGH_SECONDS || calls >= MOST_CALLS) {
        return seconds / calls;
      }
    }
  }
}
