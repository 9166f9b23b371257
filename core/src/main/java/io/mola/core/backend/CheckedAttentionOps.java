package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;
import static io.mola.core.backend.Operands.cols;
import static io.mola.core.backend.Operands.rows;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Checks, then calls. */
record CheckedAttentionOps(AttentionOps inner, Operands operands) implements AttentionOps {
  @Override
  public void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction) {
    operands.begin("attention.rotate");
    operands.require(
        cols(table) % 2 == 0 && cols(table) > 0 && cols(qk) % cols(table) == 0,
        () -> "qk has " + cols(qk) + " columns, expected a multiple of the even " + cols(table));
    Tensor angles = operands.input("table", table, ANY, ANY);
    inner.rotate(
        operands.output("qk", qk, ANY, ANY),
        angles,
        operands.ints("positions", positions, rows(qk), 1),
        direction);
  }

  @Override
  public void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse) {
    operands.begin("attention.forward");
    int n = rows(q);
    inner.forward(
        operands.input("q", q, ANY, shape.queryWidth()),
        operands.input("k", k, n, shape.keyWidth()),
        operands.input("v", v, n, shape.keyWidth()),
        operands.ints("spans", spans, n, 4),
        shape,
        operands.output("out", out, n, shape.queryWidth()),
        operands.output("lse", lse, n, shape.heads()));
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
    operands.begin("attention.backward");
    int n = rows(q);
    inner.backward(
        operands.input("dOut", dOut, n, shape.queryWidth()),
        operands.input("q", q, ANY, shape.queryWidth()),
        operands.input("k", k, n, shape.keyWidth()),
        operands.input("v", v, n, shape.keyWidth()),
        operands.input("out", out, n, shape.queryWidth()),
        operands.input("lse", lse, n, shape.heads()),
        operands.ints("spans", spans, n, 4),
        shape,
        operands.output("delta", delta, n, shape.heads()),
        operands.output("dq", dq, n, shape.queryWidth()),
        operands.output("dk", dk, n, shape.keyWidth()),
        operands.output("dv", dv, n, shape.keyWidth()));
  }

  @Override
  public void forwardCached(
      Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out) {
    operands.begin("attention.forwardCached");
    operands.require(past >= 0, () -> "past is " + past + ", expected at least 0");
    operands.require(
        rows(k) >= (long) past + rows(q),
        () -> "k has " + rows(k) + " rows, expected at least past + m = " + past + " + " + rows(q));
    inner.forwardCached(
        operands.input("q", q, ANY, shape.queryWidth()),
        operands.input("k", k, ANY, shape.keyWidth()),
        operands.input("v", v, rows(k), shape.keyWidth()),
        past,
        shape,
        operands.output("out", out, rows(q), shape.queryWidth()));
  }
}
