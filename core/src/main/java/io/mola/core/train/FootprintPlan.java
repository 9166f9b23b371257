package io.mola.core.train;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.model.PassLimits;
import io.mola.core.tensor.MemoryPlan;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a run will need, known before anything is allocated.
 *
 * @param limits sizes of the training pass
 * @param slots buffers of the backend: parameters, gradients, moments, activations
 * @param weightCacheBytes packed form of the frozen weights
 * @param workspaceBytes scratch of the backend
 * @param mappedBytes pages of the model's files, all of which are read at least once; shared with
 *     other processes and given back by the system under pressure
 * @param runtimeBytes the Java runtime, code, tokenizer and data set
 * @param device where slots, frozen weights and workspace lie on a device with memory of its own;
 *     empty: they lie on the Java heap
 */
public record FootprintPlan(
    PassLimits limits,
    MemoryPlan slots,
    long weightCacheBytes,
    long workspaceBytes,
    long mappedBytes,
    long runtimeBytes,
    Optional<DevicePlacement> device) {

  /** This plan on a device, whose memory holds what otherwise lies on the Java heap. */
  FootprintPlan onDevice(DevicePlacement placement) {
    return new FootprintPlan(
        limits,
        slots,
        placement.frozen().grownBytes(),
        workspaceBytes,
        mappedBytes,
        runtimeBytes,
        Optional.of(placement));
  }

  /** Bytes of buffers and weights in the host's memory. */
  public long heapBytes() {
    if (device.isPresent()) {
      return device.get().hostBytes();
    }
    return slots.bytes() + weightCacheBytes + workspaceBytes;
  }

  /** The plan's figure for the peak resident set of the process. */
  public long totalBytes() {
    return heapBytes() + mappedBytes + runtimeBytes;
  }

  /** The parts in bytes, for tables, largest concern first; those of the host. */
  public Map<String, Long> parts() {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("model file, mapped", mappedBytes);
    if (device.isPresent()) {
      parts.put("for the device: copies, weights", device.get().hostBytes());
      parts.put("Java runtime, tokenizer, data", runtimeBytes);
      return parts;
    }
    parts.put("packed weights", weightCacheBytes);
    parts.put("adapter parameters", sum(TrainingStep.PARAMETERS));
    parts.put(
        "gradients and optimiser",
        sum(TrainingStep.GRADIENTS)
            + sum(TrainingStep.FIRST_MOMENT)
            + sum(TrainingStep.SECOND_MOMENT));
    long adapter = parts.get("adapter parameters") + parts.get("gradients and optimiser");
    parts.put("activations", slots.bytes() - adapter);
    parts.put("backend workspace", workspaceBytes);
    parts.put("Java runtime, tokenizer, data", runtimeBytes);
    return parts;
  }

  private long sum(String slotName) {
    return slots.slots().stream()
        .filter(slot -> slot.name().equals(slotName))
        .mapToLong(MemoryPlan.Slot::bytes)
        .sum();
  }
}
