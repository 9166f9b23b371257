package io.mola.core.backend;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.Optional;

/** Device memory. */
public interface Memory {
  /** Allocates all slots of the plan, zeroed. */
  Region allocate(MemoryPlan plan);

  /**
   * Makes a frozen matrix usable. The mapping behind it must stay open until the result is closed.
   *
   * @throws io.mola.core.failure.MalformedFileException at the latest at first use, if a value is
   *     not finite
   */
  FrozenMatrix load(StoredMatrix matrix);

  /**
   * Bytes that {@link #load} keeps outside the mapping for a matrix used in both directions, when
   * the weight cache has room (panels for forward and backward). Used by memory plans.
   */
  long frozenBytes(QuantType type, int out, int in);

  /**
   * Upper bound of the backend's own scratch memory, for the given largest shapes. Used by memory
   * plans.
   *
   * @param tokens largest number of rows
   * @param widest largest in or out of a projection
   * @param stackedRank largest R of a group of projections
   */
  long workspaceBytes(int tokens, int widest, int stackedRank);

  /**
   * Allocates that scratch memory at once. Without this call it grows with the first operations,
   * and on the way takes more than {@link #workspaceBytes} says.
   */
  default void reserveWorkspace(int tokens, int widest, int stackedRank) {}

  /**
   * The device's memory, where it is not the host's; empty if the backend computes in host memory.
   */
  default Optional<DeviceMemory> device() {
    return Optional.empty();
  }

  /**
   * Enqueues host to device, row-major, exactly the size of the tensor; {@code from} may be reused
   * on return.
   */
  void upload(float[] from, Tensor to);

  /** As above; only the first {@code rows * cols} elements of {@code from} are read. */
  void upload(int[] from, IntTensor to);

  /**
   * Waits for all queued work, then copies device to host: the only call that waits.
   *
   * @param to receives {@code rows * cols} elements at its start
   */
  void download(Tensor from, float[] to);
}
