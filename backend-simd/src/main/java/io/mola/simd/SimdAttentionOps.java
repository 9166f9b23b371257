package io.mola.simd;

import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.AttentionShape;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.simd.attention.AttentionBackward;
import io.mola.simd.attention.AttentionForward;
import io.mola.simd.attention.CachedRow;
import io.mola.simd.attention.Rows;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Rotary embedding; attention itself is in {@link io.mola.simd.attention}. */
final class SimdAttentionOps implements AttentionOps {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;
  private static final int ROWS_PER_TASK = 16;

  /** From so many new tokens on it pays to pack the cache. */
  private static final int PACKING_PAYS = 5;

  private final Workbench bench;

  SimdAttentionOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction) {
    SimdTensor x = SimdTensor.of(qk);
    SimdTensor angles = SimdTensor.of(table);
    int[] position = SimdIntTensor.of(positions).data();
    float sign = direction == Direction.FORWARD ? 1f : -1f;
    int c = angles.cols();
    RowTasks.run(
        bench.pool(),
        x.rows(),
        ROWS_PER_TASK,
        (row, worker) ->
            rotate(
                x.data(), x.at(row), x.cols(), angles.data(), angles.at(position[row]), c, sign));
  }

  /** Turns all heads of a row: angle by angle, so that each is read once. */
  private static void rotate(
      float[] x, int at, int cols, float[] table, int to, int c, float sign) {
    int half = c / 2;
    int end = at + cols;
    int i = 0;
    for (; i <= half - L; i += L) {
      FloatVector cos = FloatVector.fromArray(F, table, to + i);
      FloatVector sin = FloatVector.fromArray(F, table, to + half + i).mul(sign);
      for (int head = at; head < end; head += c) {
        FloatVector first = FloatVector.fromArray(F, x, head + i);
        FloatVector second = FloatVector.fromArray(F, x, head + half + i);
        first.mul(cos).sub(second.mul(sin)).intoArray(x, head + i);
        second.mul(cos).add(first.mul(sin)).intoArray(x, head + half + i);
      }
    }
    for (; i < half; i++) {
      float cos = table[to + i];
      float sin = table[to + half + i] * sign;
      for (int head = at; head < end; head += c) {
        float first = x[head + i];
        float second = x[head + half + i];
        x[head + i] = first * cos - second * sin;
        x[head + half + i] = second * cos + first * sin;
      }
    }
  }

  @Override
  public void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse) {
    int[] seen = SimdIntTensor.of(spans).data();
    AttentionForward.run(
        bench, shape, seen, q.rows(), rows(q), rows(k), rows(v), rows(out), rows(lse));
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
    AttentionBackward.Inputs inputs =
        new AttentionBackward.Inputs(
            rows(dOut), rows(q), rows(k), rows(v), rows(out), rows(lse), rows(delta));
    int[] seen = SimdIntTensor.of(spans).data();
    AttentionBackward.run(bench, shape, seen, q.rows(), inputs, rows(dq), rows(dk), rows(dv));
  }

  @Override
  public void forwardCached(
      Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out) {
    int m = q.rows();
    if (m < PACKING_PAYS) {
      CachedRow.run(bench, shape, m, past, rows(q), rows(k), rows(v), rows(out));
    } else {
      AttentionForward.runCached(bench, shape, m, past, rows(q), rows(k), rows(v), rows(out));
    }
  }

  private static Rows rows(Tensor tensor) {
    SimdTensor simd = SimdTensor.of(tensor);
    return new Rows(simd.data(), simd.offset(), simd.cols());
  }
}
