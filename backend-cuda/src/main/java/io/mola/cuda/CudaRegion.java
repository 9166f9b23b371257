package io.mola.cuda;

import io.mola.core.backend.Region;
import io.mola.core.tensor.ElementType;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.MemoryPlan.Slot;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Closing;
import io.mola.cuda.driver.Device;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Workspace;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** All slots of a plan in one piece of device memory, each aligned as cuBLAS likes it. */
final class CudaRegion implements Region {
  private static final int NAMED_SLOTS = 3;

  private final Device device;
  private final MemoryPlan plan;
  private final Map<String, CudaTensor> floats = new HashMap<>();
  private final Map<String, CudaIntTensor> ints = new HashMap<>();
  private long address;

  CudaRegion(Device device, MemoryPlan plan, Element activation) {
    this.device = device;
    this.plan = plan;
    long bytes = bytes(plan, activation);
    address = device.allocate(Math.max(1, bytes), () -> describe(activation));
    try {
      device.zero(address, bytes);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> device.free(address));
    }
    long at = address;
    for (Slot slot : plan.slots()) {
      if (slot.type() == ElementType.I32) {
        ints.put(slot.name(), new CudaIntTensor(at, slot.rows(), slot.cols()));
      } else {
        floats.put(
            slot.name(), new CudaTensor(at, element(slot, activation), slot.rows(), slot.cols()));
      }
      at += Workspace.padded(bytes(slot, activation));
    }
  }

  /** Device memory of all slots. */
  static long bytes(MemoryPlan plan, Element activation) {
    long at = 0;
    long end = 0;
    for (Slot slot : plan.slots()) {
      end = at + bytes(slot, activation);
      at += Workspace.padded(bytes(slot, activation));
    }
    return end;
  }

  private static Element element(Slot slot, Element activation) {
    return slot.type() == ElementType.ACTIVATION ? activation : Element.F32;
  }

  private static long bytes(Slot slot, Element activation) {
    return (long) slot.rows() * slot.cols() * element(slot, activation).bytes();
  }

  /** The plan with its largest slots, for the message that it does not fit. */
  private String describe(Element activation) {
    String largest =
        plan.slots().stream()
            .sorted(Comparator.comparingLong((Slot slot) -> bytes(slot, activation)).reversed())
            .limit(NAMED_SLOTS)
            .map(slot ->
                "%s [%d, %d] %,d MiB"
                    .formatted(
                        slot.name(), slot.rows(), slot.cols(), bytes(slot, activation) >> 20))
            .collect(Collectors.joining(", "));
    return "the plan of %d buffers (largest: %s)".formatted(plan.slots().size(), largest);
  }

  @Override
  public MemoryPlan plan() {
    return plan;
  }

  @Override
  public Tensor tensor(String name) {
    @Nullable CudaTensor tensor = floats.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no float slot named " + name);
    }
    return tensor;
  }

  @Override
  public IntTensor ints(String name) {
    @Nullable CudaIntTensor tensor = ints.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no int32 slot named " + name);
    }
    return tensor;
  }

  @Override
  public void close() {
    if (address != 0) {
      device.operation(() -> "closing a region");
      long freed = address;
      address = 0;
      floats.clear();
      ints.clear();
      device.free(freed);
    }
  }
}
