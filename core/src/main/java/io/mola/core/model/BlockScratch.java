package io.mola.core.model;

import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;

/**
 * Buffers that all blocks share, one after the other. {@code wide} holds the feed-forward
 * activation in the forward pass and is rebuilt in the backward pass.
 *
 * @param normed [n, d]
 * @param activation [n, f]
 * @param dNormed [n, d]
 * @param dGate [n, f], first the gradient of the activation
 * @param dUp [n, f]
 * @param dAttended [n, h·c]
 * @param dq [n, h·c]
 * @param dk [n, g·c]
 * @param dv [n, g·c]
 * @param delta [n, h]
 */
record BlockScratch(
    Tensor normed,
    Tensor activation,
    Tensor dNormed,
    Tensor dGate,
    Tensor dUp,
    Tensor dAttended,
    Tensor dq,
    Tensor dk,
    Tensor dv,
    Tensor delta) {
  private static final String PREFIX = "scratch.";

  static void plan(MemoryPlan.Builder plan, ModelConfig c, int n) {
    int query = c.heads() * c.headDim();
    int key = c.kvHeads() * c.headDim();
    plan.activation(PREFIX + "normed", n, c.hiddenSize())
        .activation(PREFIX + "activation", n, c.intermediateSize())
        .activation(PREFIX + "dNormed", n, c.hiddenSize())
        .activation(PREFIX + "dGate", n, c.intermediateSize())
        .activation(PREFIX + "dUp", n, c.intermediateSize())
        .activation(PREFIX + "dAttended", n, query)
        .activation(PREFIX + "dq", n, query)
        .activation(PREFIX + "dk", n, key)
        .activation(PREFIX + "dv", n, key)
        .f32(PREFIX + "delta", n, c.heads());
  }

  static BlockScratch of(Region region) {
    return new BlockScratch(
        region.tensor(PREFIX + "normed"),
        region.tensor(PREFIX + "activation"),
        region.tensor(PREFIX + "dNormed"),
        region.tensor(PREFIX + "dGate"),
        region.tensor(PREFIX + "dUp"),
        region.tensor(PREFIX + "dAttended"),
        region.tensor(PREFIX + "dq"),
        region.tensor(PREFIX + "dk"),
        region.tensor(PREFIX + "dv"),
        region.tensor(PREFIX + "delta"));
  }
}
