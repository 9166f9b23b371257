package io.mola.simd;

import io.mola.core.backend.Region;
import io.mola.core.failure.UsageException;
import io.mola.core.tensor.ElementType;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.MemoryPlan.Slot;
import io.mola.core.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/** One heap array per slot: the kernels are faster on arrays than on memory segments. */
final class SimdRegion implements Region {
  private final MemoryPlan plan;
  private final Map<String, SimdTensor> floats = new HashMap<>();
  private final Map<String, SimdIntTensor> ints = new HashMap<>();

  SimdRegion(MemoryPlan plan) {
    this.plan = plan;
    for (Slot slot : plan.slots()) {
      try {
        allocate(slot);
      } catch (OutOfMemoryError e) {
        throw new UsageException(
            "buffer %s needs %d MiB, which the Java heap of %d MiB has not left: use a smaller batch or a larger --max-memory"
                .formatted(slot.name(), slot.bytes() >> 20, Runtime.getRuntime().maxMemory() >> 20),
            e);
      }
    }
  }

  private void allocate(Slot slot) {
    long size = (long) slot.rows() * slot.cols();
    if (size > Integer.MAX_VALUE - 16) {
      throw new UsageException(
          "buffer %s [%d, %d] is longer than a Java array: use a smaller batch"
              .formatted(slot.name(), slot.rows(), slot.cols()));
    }
    if (slot.type() == ElementType.I32) {
      ints.put(slot.name(), new SimdIntTensor(new int[(int) size], slot.rows(), slot.cols()));
    } else {
      floats.put(slot.name(), new SimdTensor(new float[(int) size], 0, slot.rows(), slot.cols()));
    }
  }

  @Override
  public MemoryPlan plan() {
    return plan;
  }

  @Override
  public Tensor tensor(String name) {
    SimdTensor tensor = floats.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no float slot named " + name);
    }
    return tensor;
  }

  @Override
  public IntTensor ints(String name) {
    SimdIntTensor tensor = ints.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no int32 slot named " + name);
    }
    return tensor;
  }

  @Override
  public void close() {
    floats.clear();
    ints.clear();
  }
}
