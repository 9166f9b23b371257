package io.mola.core.backend;

import io.mola.core.tensor.MemoryPlan;
import java.util.List;

/** The memory of a device that has its own, apart from the host's. */
public interface DeviceMemory {
  /**
   * Where a run would lie, by arithmetic alone: nothing is allocated. What is free is asked now;
   * memory that this backend holds for work of any size counts as free.
   *
   * @param slots all buffers of the run
   * @param workspaceBytes scratch of the operations, {@link Memory#workspaceBytes}
   * @param matrices frozen matrices, in the order in which they will be loaded
   */
  DevicePlacement place(MemoryPlan slots, long workspaceBytes, List<FrozenUse> matrices);
}
