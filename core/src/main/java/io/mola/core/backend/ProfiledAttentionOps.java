package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Measures attention; what it computes depends on the spans, so its FLOP are not counted. */
record ProfiledAttentionOps(AttentionOps inner, OperationTimes times) implements AttentionOps {
  @Override
  public void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction) {
    times.time("attention.rotate", 0, () -> inner.rotate(qk, table, positions, direction));
  }

  @Override
  public void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse) {
    times.time("attention.forward", 0, () -> inner.forward(q, k, v, spans, shape, out, lse));
  }

  @Override
  public void backward(
      Tensor dOut,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      Tensor lse,
      IntTensor spans,
      AttentionShape shape,
      Tensor delta,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    times.time(
        "attention.backward",
        0,
        () -> inner.backward(dOut, q, k, v, out, lse, spans, shape, delta, dq, dk, dv));
  }

  @Override
  public void forwardCached(
      Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out) {
    times.time("attention.forwardCached", 0, () -> inner.forwardCached(q, k, v, past, shape, out));
  }
}
