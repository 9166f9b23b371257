package io.mola.simd.work;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WorkerPoolTest {
  @ParameterizedTest(name = "{0} workers")
  @ValueSource(ints = {1, 2, 3, 8})
  void eachTaskRunsOnce(int workers) {
    try (WorkerPool pool = new WorkerPool(workers)) {
      for (int dispatch = 0; dispatch < 2000; dispatch++) {
        AtomicIntegerArray runs = new AtomicIntegerArray(dispatch % 17);
        pool.run(runs.length(), (index, worker) -> runs.incrementAndGet(index));
        for (int i = 0; i < runs.length(); i++) {
          assertThat(runs.get(i)).isEqualTo(1);
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} workers")
  @ValueSource(ints = {1, 2, 3, 8})
  void aStageStartsWhenTheOneBeforeIsDone(int workers) {
    try (WorkerPool pool = new WorkerPool(workers)) {
      for (int dispatch = 0; dispatch < 500; dispatch++) {
        AtomicInteger first = new AtomicInteger();
        AtomicInteger early = new AtomicInteger();
        AtomicInteger second = new AtomicInteger();
        pool.run(
            Stage.of(5, (index, worker) -> first.incrementAndGet()),
            Stage.of(
                7,
                (index, worker) -> {
                  early.addAndGet(first.get() == 5 ? 0 : 1);
                  second.incrementAndGet();
                }),
            Stage.NOTHING,
            Stage.of(1, (index, worker) -> early.addAndGet(second.get() == 7 ? 0 : 1)));
        assertThat(early.get()).isZero();
      }
    }
  }

  @Test
  void workersInStepEachDoTheirOwnHalfOfEveryPart() {
    try (WorkerPool pool = new WorkerPool(2)) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
      AtomicIntegerArray begun = new AtomicIntegerArray(2);
      AtomicIntegerArray workers = new AtomicIntegerArray(8);
      // the n-th task of a worker waits for the n-th of the other, so that nobody has time to help
      IntFunction<Stage> four =
          first ->
              Stage.of(
                  4,
                  (index, worker) -> {
                    workers.set(first + index, worker);
                    int mine = begun.incrementAndGet(worker);
                    while (begun.get(1 - worker) < mine && System.nanoTime() < end) {
                      Thread.onSpinWait();
                    }
                  });
      pool.run(Stage.all(four.apply(0), four.apply(4)));
      assertThat(workers).hasToString("[0, 0, 1, 1, 0, 0, 1, 1]");
    }
  }

  @Test
  void partsWithinPartsAreAllRun() {
    try (WorkerPool pool = new WorkerPool(3)) {
      AtomicIntegerArray runs = new AtomicIntegerArray(4);
      Stage inner =
          Stage.all(
              Stage.of(5, (index, worker) -> runs.incrementAndGet(0)),
              Stage.of(1, (index, worker) -> runs.incrementAndGet(1)));
      Stage outer = Stage.all(inner, Stage.of(2, (index, worker) -> runs.incrementAndGet(2)));
      assertThat(outer.parts()).isEqualTo(3);
      pool.run(outer, Stage.of(1, (index, worker) -> runs.addAndGet(3, outer.count())));
      assertThat(runs).hasToString("[5, 1, 2, 8]");
    }
  }

  @Test
  void partsOfAStageKeepTheirOrder() {
    try (WorkerPool pool = new WorkerPool(1)) {
      StringBuilder log = new StringBuilder();
      pool.run(
          Stage.all(
              Stage.of(2, (index, worker) -> log.append('a').append(index)),
              Stage.NOTHING,
              Stage.of(1, (index, worker) -> log.append('b').append(index))));
      assertThat(log).hasToString("a0a1b0");
    }
  }

  @ParameterizedTest(name = "{0} workers")
  @ValueSource(ints = {1, 2, 3})
  void theCallerGetsWhatATaskThrew(int workers) {
    try (WorkerPool pool = new WorkerPool(workers)) {
      for (int bad = 0; bad < 40; bad++) {
        int failing = bad;
        AtomicInteger later = new AtomicInteger();
        assertThatThrownBy(() ->
                pool.run(
                    Stage.of(
                        40,
                        (index, worker) -> {
                          if (index == failing) {
                            throw new IllegalStateException("task " + index);
                          }
                        }),
                    Stage.of(3, (index, worker) -> later.incrementAndGet())))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("task " + bad);
        assertThat(later.get()).as("tasks after the failure").isZero();
        AtomicInteger runs = new AtomicInteger();
        pool.run(9, (index, worker) -> runs.incrementAndGet());
        assertThat(runs.get()).isEqualTo(9);
      }
    }
  }

  @Test
  void errorsAreRethrownToo() {
    try (WorkerPool pool = new WorkerPool(2)) {
      assertThatThrownBy(() ->
              pool.run(
                  4,
                  (index, worker) -> {
                    throw new OutOfMemoryError("of task");
                  }))
          .isInstanceOf(OutOfMemoryError.class);
    }
  }

  @Test
  void helpersThatParkedTakePartAgain() {
    try (WorkerPool pool = new WorkerPool(2)) {
      for (int i = 0; i < 5; i++) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        ConcurrentHashMap<Integer, Boolean> workers = new ConcurrentHashMap<>();
        // each waits for the other, so that one worker cannot do both
        pool.run(
            2,
            (index, worker) -> {
              workers.put(worker, true);
              while (workers.size() < 2) {
                Thread.onSpinWait();
              }
            });
        assertThat(workers).hasSize(2);
      }
    }
  }

  @Test
  void aClosedPoolRefusesWork() {
    WorkerPool pool = new WorkerPool(2);
    pool.close();
    assertThatThrownBy(() -> pool.run(1, (index, worker) -> {}))
        .isInstanceOf(IllegalStateException.class);
  }
}
