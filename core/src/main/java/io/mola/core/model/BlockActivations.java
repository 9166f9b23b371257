package io.mola.core.model;

import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;

/**
 * What the forward pass of a block leaves for its backward pass, besides the block's input. Normed
 * inputs and the feed-forward activation are not kept: one cheap pass rebuilds them.
 *
 * @param rstd1 [n,1] of the norm before attention
 * @param q [n, h·c], rotated
 * @param k [n, g·c], rotated
 * @param v [n, g·c]
 * @param attended [n, h·c] attention output
 * @param lse [n, h]
 * @param middle [n, d] residual stream between attention and feed-forward
 * @param rstd2 [n,1] of the norm before the feed-forward part
 * @param gate [n, f]
 * @param up [n, f]
 */
record BlockActivations(
    Tensor rstd1,
    Tensor q,
    Tensor k,
    Tensor v,
    Tensor attended,
    Tensor lse,
    Tensor middle,
    Tensor rstd2,
    Tensor gate,
    Tensor up) {

  static void plan(MemoryPlan.Builder plan, String prefix, ModelConfig c, int n) {
    plan.f32(prefix + "rstd1", n, 1)
        .activation(prefix + "q", n, c.heads() * c.headDim())
        .activation(prefix + "k", n, c.kvHeads() * c.headDim())
        .activation(prefix + "v", n, c.kvHeads() * c.headDim())
        .activation(prefix + "attended", n, c.heads() * c.headDim())
        .f32(prefix + "lse", n, c.heads())
        .activation(prefix + "middle", n, c.hiddenSize())
        .f32(prefix + "rstd2", n, 1)
        .activation(prefix + "gate", n, c.intermediateSize())
        .activation(prefix + "up", n, c.intermediateSize());
  }

  static BlockActivations of(Region region, String prefix) {
    return new BlockActivations(
        region.tensor(prefix + "rstd1"),
        region.tensor(prefix + "q"),
        region.tensor(prefix + "k"),
        region.tensor(prefix + "v"),
        region.tensor(prefix + "attended"),
        region.tensor(prefix + "lse"),
        region.tensor(prefix + "middle"),
        region.tensor(prefix + "rstd2"),
        region.tensor(prefix + "gate"),
        region.tensor(prefix + "up"));
  }

  /** Views of the first n rows; the feed-forward part of the first {@code feedForwardRows}. */
  BlockActivations top(int n, int feedForwardRows) {
    return new BlockActivations(
        rstd1.top(n),
        q.top(n),
        k.top(n),
        v.top(n),
        attended.top(n),
        lse.top(n),
        middle.top(n),
        rstd2.top(feedForwardRows),
        gate.top(feedForwardRows),
        up.top(feedForwardRows));
  }
}
