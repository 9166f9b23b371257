package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;

/** The device memory of one {@link MemoryPlan}. */
public interface Region extends AutoCloseable {
  /** The plan it was made from. */
  MemoryPlan plan();

  /**
   * The whole slot of that name.
   *
   * @throws IllegalArgumentException if there is no float slot of that name
   */
  Tensor tensor(String name);

  /**
   * The whole int32 slot of that name.
   *
   * @throws IllegalArgumentException if there is no int32 slot of that name
   */
  IntTensor ints(String name);

  /** Waits for queued work that uses it, then frees. */
  @Override
  void close();
}
