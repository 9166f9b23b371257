package io.mola.perf.machine;

/** Calls something again and again. */
public final class Repetition {
  private Repetition() {}

  /** Seconds per call over at least the given seconds and at least two calls, after one in vain. */
  public static double secondsPerCall(Runnable call, double seconds) {
    call.run();
    long start = System.nanoTime();
    long end = start + (long) (1e9 * seconds);
    int calls = 0;
    long now = start;
    while (calls < 2 || now < end) {
      call.run();
      calls++;
      now = System.nanoTime();
    }
    return 1e-9 * (now - start) / calls;
  }

  /**
   * Lets threads that wait busily for more work of the last library go to sleep: OpenBLAS's after
   * about 30 ms, those of Intel's OpenMP after 200 ms.
   */
  public static void rest(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException("a measurement was interrupted", e);
    }
  }
}
