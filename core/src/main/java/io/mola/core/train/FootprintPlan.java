package io.mola.core.train;

import io.mola.core.model.PassLimits;
import io.mola.core.tensor.MemoryPlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a run will need, known before anything is allocated.
 *
 * @param limits sizes of the training pass
 * @param slots device buffers: parameters, gradients, moments, activations
 * @param layers blocks of the model
 * @param weightCacheBytes packed form of the frozen weights
 * @param allPackedBytes the same of all frozen weights
 * @param workspace largest shapes that the backend's scratch is for
 * @param workspaceBytes that scratch
 * @param mappedBytes pages of the model's files, all of which are read at least once; shared with
 *     other processes and given back by the system under pressure
 * @param process everything else that is resident
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
    ProcessFootprint process) {

  /** Largest shapes, see {@link io.mola.core.backend.Memory#workspaceBytes}. */
  public record Workspace(int tokens, int widest, int stackedRank) {}

  /** The plan's figure for the peak resident set of the process, mapped files included. */
  public long totalBytes() {
    return slots.bytes() + weightCacheBytes + workspaceBytes + mappedBytes + process.bytes();
  }

  /** What is done more slowly to need less memory, in words; empty if nothing is. */
  public List<String> savings() {
    List<String> savings = new ArrayList<>();
    int recomputed = layers - limits.keptBlocks();
    if (recomputed > 0) {
      savings.add(
          "%d of %d blocks are computed again in the backward pass".formatted(recomputed, layers));
    }
    if (weightCacheBytes < allPackedBytes) {
      savings.add(
          "%d %% of the weights are decoded at each use"
              .formatted(Math.ceilDiv(100 * (allPackedBytes - weightCacheBytes), allPackedBytes)));
    }
    return savings;
  }

  /** The parts in bytes, for tables, largest concern first. */
  public Map<String, Long> parts() {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("model file, mapped", mappedBytes);
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
    parts.put("parameters to read and save", process.parameterArrays());
    parts.put("examples and tokenizer", process.examples() + process.tokenizer());
    parts.put("Java", process.java());
    return parts;
  }

  private long sum(String slotName) {
    return slots.slots().stream()
        .filter(slot -> slot.name().equals(slotName))
        .mapToLong(MemoryPlan.Slot::bytes)
        .sum();
  }
}
