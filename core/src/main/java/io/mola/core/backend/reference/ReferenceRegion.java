package io.mola.core.backend.reference;

import io.mola.core.backend.Region;
import io.mola.core.tensor.ElementType;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.MemoryPlan.Slot;
import io.mola.core.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/** One array per slot. */
final class ReferenceRegion implements Region {
  private final MemoryPlan plan;
  private final Map<String, ReferenceTensor> tensors = new HashMap<>();
  private final Map<String, ReferenceIntTensor> ints = new HashMap<>();

  ReferenceRegion(MemoryPlan plan) {
    this.plan = plan;
    for (Slot slot : plan.slots()) {
      int size = Math.multiplyExact(slot.rows(), slot.cols());
      if (slot.type() == ElementType.I32) {
        ints.put(slot.name(), new ReferenceIntTensor(new int[size], slot.rows(), slot.cols()));
      } else {
        tensors.put(slot.name(), new ReferenceTensor(new float[size], 0, slot.rows(), slot.cols()));
      }
    }
  }

  @Override
  public MemoryPlan plan() {
    return plan;
  }

  @Override
  public Tensor tensor(String name) {
    ReferenceTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no float slot named " + name);
    }
    return tensor;
  }

  @Override
  public IntTensor ints(String name) {
    ReferenceIntTensor tensor = ints.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no int32 slot named " + name);
    }
    return tensor;
  }

  @Override
  public void close() {
    tensors.clear();
    ints.clear();
  }
}
