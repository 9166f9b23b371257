package io.mola.core.train;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.model.PassLimits;
import io.mola.core.tensor.MemoryPlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a run will need, known before anything is allocated.
 *
 * @param limits sizes of the training pass
 * @param slots buffers of the backend: parameters, gradients, moments, activations
 * @param layers blocks of the model
 * @param weightCacheBytes packed form of the frozen weights
 * @param allPackedBytes the same of all frozen weights
 * @param workspace largest shapes that the backend's scratch is for
 * @param workspaceBytes that scratch
 * @param mappedBytes pages of the model's files, all of which are read at least once; shared with
 *     other processes and given back by the system under pressure
 * @param process everything else that is resident
 * @param device where slots, frozen weights and workspace lie on a device with memory of its own;
 *     empty: they lie on the Java heap
 */
public record FootprintPlan(
    PassLimits limits,
    MemoryPlan slots,
    int layers,
    long weightCacheBytes,
    long allPackedBytes,
    Workspace workspace,
    long workspaceBytes,
    long mappedBytes,
    ProcessFootprint process,
    Optional<DevicePlacement> device) {

  /** Largest shapes, see {@link io.mola.core.backend.Memory#workspaceBytes}. */
  public record Workspace(int tokens, int widest, int stackedRank) {}

  /** This plan on a device, whose memory holds what otherwise lies on the Java heap. */
  FootprintPlan onDevice(DevicePlacement placement) {
    return new FootprintPlan(
        limits,
        slots,
        layers,
        placement.frozen().grownBytes(),
        allPackedBytes,
        workspace,
        workspaceBytes,
        mappedBytes,
        process,
        Optional.of(placement));
  }

  /** The plan's figure for the peak resident set of the process, mapped files included. */
  public long totalBytes() {
    return buffersBytes() + mappedBytes + process.bytes();
  }

  private long buffersBytes() {
    return device
        .map(DevicePlacement::hostBytes)
        .orElse(slots.bytes() + weightCacheBytes + workspaceBytes);
  }

  /** What is done more slowly to need less memory, in words; empty if nothing is. */
  public List<String> savings() {
    List<String> savings = new ArrayList<>();
    int recomputed = layers - limits.keptBlocks();
    if (recomputed > 0) {
      savings.add(
          "%d of %d blocks are computed again in the backward pass".formatted(recomputed, layers));
    }
    if (device.isEmpty() && weightCacheBytes < allPackedBytes) {
      savings.add(
          "%d %% of the weights are decoded at each use"
              .formatted(Math.ceilDiv(100 * (allPackedBytes - weightCacheBytes), allPackedBytes)));
    }
    return savings;
  }

  /** The parts in bytes, for tables, largest concern first; those of the host. */
  public Map<String, Long> parts() {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("model file, mapped", mappedBytes);
    if (device.isPresent()) {
      parts.put("for the device: copies, weights", device.get().hostBytes());
      putProcess(parts);
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
    putProcess(parts);
    return parts;
  }

  private void putProcess(Map<String, Long> parts) {
    parts.put("parameters to read and save", process.parameterArrays());
    parts.put("examples and tokenizer", process.examples() + process.tokenizer());
    parts.put("Java", process.java());
  }

  private long sum(String slotName) {
    return slots.slots().stream()
        .filter(slot -> slot.name().equals(slotName))
        .mapToLong(MemoryPlan.Slot::bytes)
        .sum();
  }
}
