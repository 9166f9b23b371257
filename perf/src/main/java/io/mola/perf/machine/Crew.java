package io.mola.perf.machine;

import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.function.IntToDoubleFunction;

/** Threads that start together, so that each is measured while all others work. */
final class Crew {
  private Crew() {}

  /** The sum of what every thread, told its number, found. */
  static double sum(int threads, IntToDoubleFunction work) {
    CyclicBarrier start = new CyclicBarrier(threads);
    double[] found = new double[threads];
    Thread[] crew = new Thread[threads];
    for (int i = 0; i < threads; i++) {
      int number = i;
      crew[i] =
          new Thread(() -> {
            await(start);
            found[number] = work.applyAsDouble(number);
          });
      crew[i].start();
    }
    double sum = 0;
    for (int i = 0; i < threads; i++) {
      join(crew[i]);
      sum += found[i];
    }
    return sum;
  }

  private static void await(CyclicBarrier start) {
    try {
      start.await();
    } catch (InterruptedException | BrokenBarrierException e) {
      throw new IllegalStateException("a measurement was interrupted", e);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException("a measurement was interrupted", e);
    }
  }
}
