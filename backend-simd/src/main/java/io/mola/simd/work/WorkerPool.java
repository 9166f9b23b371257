package io.mola.simd.work;

import io.mola.core.failure.MolaException;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The caller and its helpers. A dispatch is a list of {@link Stage stages}; a stage starts when all
 * tasks of the one before are done.
 *
 * <p>Each part of a stage is cut into as many runs of tasks as there are workers. A worker claims
 * the tasks of its own runs first, then those that others have left. Most stages number their tasks
 * by rows, so that a worker finds in its own cache what it wrote there in the stage before.
 *
 * <p>Forking and joining costs as much as a small product (0.1 to 0.3 ms with a fork-join pool), so
 * helpers spin for the next dispatch before they park: a dispatch then takes a few microseconds.
 * The caller never waits for a helper, only for claimed tasks: a helper that the operating system
 * keeps from running costs nothing, and if it wakes late it finds its dispatch used up.
 *
 * <p>Which worker runs a task is a matter of luck, so no result may depend on it.
 *
 * <p>A task that throws ends the dispatch: the remaining tasks are skipped and the caller gets the
 * first throwable. One dispatch at a time, from one thread; a task must not dispatch.
 */
public final class WorkerPool implements AutoCloseable {
  private static final long SPIN_NANOS = 200_000;
  private static final int SPINS_PER_LOOK = 256;

  /** Distance of the flags of two workers, so that they do not share a cache line. */
  private static final int FLAG_STRIDE = 16;

  private final int size;
  private final Thread[] helpers;
  private final AtomicIntegerArray parked;
  private volatile @Nullable Round round;
  private volatile boolean closed;

  /** A pool of {@code size} workers: the caller and {@code size - 1} daemon threads. */
  public WorkerPool(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("a pool of " + size + " workers");
    }
    this.size = size;
    this.parked = new AtomicIntegerArray(size * FLAG_STRIDE);
    this.helpers = new Thread[size - 1];
    for (int i = 0; i < helpers.length; i++) {
      int worker = i + 1;
      helpers[i] = Thread.ofPlatform().name("mola-" + worker).daemon().start(() -> help(worker));
    }
  }

  /** Number of workers; their indices are 0 (the caller) to {@code size - 1}. */
  public int size() {
    return size;
  }

  /** Runs {@code count} tasks and returns when all are done. */
  public void run(int count, Task task) {
    run(Stage.of(count, task));
  }

  /** Runs the stages one after the other and returns when the last is done. */
  public void run(Stage... stages) {
    if (closed) {
      throw new IllegalStateException("the backend is closed");
    }
    if (stages.length == 1 && stages[0].count() == 1) {
      stages[0].run(0, 0); // nothing to share: a row of a token by token generation
      return;
    }
    Round current = new Round(stages, size);
    if (size > 1) {
      round = current;
      for (int i = 0; i < helpers.length; i++) {
        if (parked.get((i + 1) * FLAG_STRIDE) != 0) {
          LockSupport.unpark(helpers[i]);
        }
      }
    }
    current.work(0);
    current.rethrow();
  }

  /** Ends the helpers. */
  @Override
  public void close() {
    closed = true;
    round = null;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
    }
  }

  private void help(int worker) {
    Round seen = null;
    while (!closed) {
      Round next = await(seen, worker);
      if (next != null) {
        next.work(worker);
      }
      seen = next;
    }
  }

  private @Nullable Round await(@Nullable Round seen, int worker) {
    long start = System.nanoTime();
    int spins = 0;
    Round next;
    while ((next = round) == seen && !closed) {
      Thread.onSpinWait();
      if (++spins % SPINS_PER_LOOK == 0 && System.nanoTime() - start > SPIN_NANOS) {
        // The flag first, then a second look: the caller stores the round first, then looks at the
        // flag.
        parked.set(worker * FLAG_STRIDE, 1);
        if (round == seen && !closed) {
          LockSupport.park(this);
        }
        parked.set(worker * FLAG_STRIDE, 0);
        start = System.nanoTime();
      }
    }
    return next;
  }

  /** One dispatch. A new object each time, so that a late helper cannot claim from the next. */
  private static final class Round {
    private static final int SPINS_BEFORE_YIELD = 10_000;

    private final Stage[] stages;
    private final int workers;

    /** Finished tasks by stage; claimed tasks by stage, part and run. */
    private final AtomicIntegerArray counters;

    private volatile @Nullable Throwable failure;

    Round(Stage[] stages, int workers) {
      this.stages = stages;
      this.workers = workers;
      int parts = 0;
      for (Stage stage : stages) {
        parts += stage.parts();
      }
      this.counters = new AtomicIntegerArray(stages.length + parts * workers);
    }

    @SuppressWarnings("ThreadPriorityCheck") // yields only when the machine is overcommitted
    void work(int worker) {
      int claimed = stages.length;
      for (int s = 0; s < stages.length; s++) {
        claim(s, claimed, worker);
        claimed += stages[s].parts() * workers;
        int last = stages.length - 1;
        if (worker != 0 && counters.get(last) >= stages[last].count()) {
          return; // nothing left to claim: only the caller waits for the end
        }
        for (int spins = 0; counters.get(s) < stages[s].count(); spins++) {
          if (spins < SPINS_BEFORE_YIELD) {
            Thread.onSpinWait();
          } else {
            Thread.yield();
          }
        }
      }
    }

    private void claim(int s, int claimed, int worker) {
      Stage stage = stages[s];
      for (int i = 0; i < workers; i++) {
        int run = (worker + i) % workers;
        for (int part = 0; part < stage.parts(); part++) {
          claim(s, stage.part(part), run, claimed + part * workers + run, worker);
        }
      }
    }

    private void claim(int s, Stage part, int run, int claimed, int worker) {
      int begin = (int) ((long) run * part.count() / workers);
      int end = (int) ((run + 1L) * part.count() / workers);
      while (counters.get(claimed) < end - begin) {
        int task = begin + counters.getAndIncrement(claimed);
        if (task >= end) {
          return;
        }
        if (failure == null) {
          try {
            part.run(task, worker);
          } catch (Throwable t) {
            failure = t; // any of them: the result is void
          }
        }
        counters.getAndIncrement(s);
      }
    }

    void rethrow() {
      switch (failure) {
        case null -> {}
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable t -> throw new MolaException("a computation failed: " + t.getMessage(), t);
      }
    }
  }
}
