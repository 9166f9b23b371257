package io.mola.simd.work;

/** One of the numbered pieces that a stage is cut into. */
@FunctionalInterface
public interface Task {
  /**
   * Does piece {@code index}.
   *
   * @param worker whose scratch memory may be used
   */
  void run(int index, int worker);
}
