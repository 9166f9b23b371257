package io.mola.core.model;

import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;

/**
 * A {@link TokenBatch} on the device.
 *
 * @param tokens [n,1]
 * @param positions [n,1]
 * @param spans [n,4]
 * @param rowWeights [n,1]
 * @param labelledRows [m,1]
 * @param targets [m,1]
 * @param targetWeights [m,1]
 */
public record DeviceBatch(
    IntTensor tokens,
    IntTensor positions,
    IntTensor spans,
    IntTensor rowWeights,
    IntTensor labelledRows,
    IntTensor targets,
    IntTensor targetWeights) {
  private static final String PREFIX = "batch.";

  static void plan(MemoryPlan.Builder plan, int tokens, int labelled) {
    plan.i32(PREFIX + "tokens", tokens, 1)
        .i32(PREFIX + "positions", tokens, 1)
        .i32(PREFIX + "spans", tokens, 4)
        .i32(PREFIX + "rowWeights", tokens, 1)
        .i32(PREFIX + "labelledRows", labelled, 1)
        .i32(PREFIX + "targets", labelled, 1)
        .i32(PREFIX + "targetWeights", labelled, 1);
  }

  static DeviceBatch upload(Memory memory, Region region, TokenBatch batch) {
    int n = batch.size();
    int m = Math.max(1, batch.labelled());
    DeviceBatch device =
        new DeviceBatch(
            region.ints(PREFIX + "tokens").top(n),
            region.ints(PREFIX + "positions").top(n),
            region.ints(PREFIX + "spans").top(n),
            region.ints(PREFIX + "rowWeights").top(n),
            region.ints(PREFIX + "labelledRows").top(m),
            region.ints(PREFIX + "targets").top(m),
            region.ints(PREFIX + "targetWeights").top(m));
    memory.upload(batch.tokens(), device.tokens);
    memory.upload(batch.positions(), device.positions);
    memory.upload(batch.spans(), device.spans);
    memory.upload(batch.rowWeights(), device.rowWeights);
    if (batch.labelled() > 0) {
      memory.upload(batch.labelledRows(), device.labelledRows);
      memory.upload(batch.targets(), device.targets);
      memory.upload(batch.targetWeights(), device.targetWeights);
    }
    return device;
  }
}
