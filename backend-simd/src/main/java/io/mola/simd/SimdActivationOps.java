package io.mola.simd;

import io.mola.core.backend.ActivationOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Task;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Elementwise operations, in chunks that stay in the inner cache. */
final class SimdActivationOps implements ActivationOps {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  /** Elements of a task of cheap operations. */
  private static final int CHUNK = 1 << 14;

  /** Elements of a task with exponentials; the scratch of a chunk stays in the inner cache. */
  private static final int EXPONENTIAL_CHUNK = 1 << 11;

  private static final int ROWS_PER_TASK = 16;

  private final Workbench bench;

  SimdActivationOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    SimdTensor g = SimdTensor.of(gate);
    SimdTensor u = SimdTensor.of(up);
    SimdTensor to = SimdTensor.of(y);
    chunks(
        g.size(),
        EXPONENTIAL_CHUNK,
        (start, count, worker) -> {
          float[] e = bench.scratch()[worker].sums(count);
          Exponential.scaled(g.data(), g.offset() + start, -1f, e, 0, count);
          silu(g, u, to, start, count, e);
        });
  }

  private static void silu(
      SimdTensor gate, SimdTensor up, SimdTensor y, int start, int count, float[] e) {
    float[] g = gate.data();
    float[] u = up.data();
    float[] to = y.data();
    int go = gate.offset() + start;
    int uo = up.offset() + start;
    int at = y.offset() + start;
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector divisor = FloatVector.fromArray(F, e, i).add(1f);
      FloatVector.fromArray(F, g, go + i)
          .div(divisor)
          .mul(FloatVector.fromArray(F, u, uo + i))
          .intoArray(to, at + i);
    }
    for (; i < count; i++) {
      to[at + i] = g[go + i] / (e[i] + 1f) * u[uo + i];
    }
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    SimdTensor d = SimdTensor.of(dy);
    SimdTensor g = SimdTensor.of(gate);
    SimdTensor u = SimdTensor.of(up);
    SimdTensor dg = SimdTensor.of(dGate);
    SimdTensor du = SimdTensor.of(dUp);
    chunks(
        g.size(),
        EXPONENTIAL_CHUNK,
        (start, count, worker) -> {
          float[] e = bench.scratch()[worker].sums(count);
          Exponential.scaled(g.data(), g.offset() + start, -1f, e, 0, count);
          siluBackward(d, g, u, dg, du, start, count, e);
        });
  }

  private static void siluBackward(
      SimdTensor dy,
      SimdTensor gate,
      SimdTensor up,
      SimdTensor dGate,
      SimdTensor dUp,
      int start,
      int count,
      float[] e) {
    float[] d = dy.data();
    float[] g = gate.data();
    float[] u = up.data();
    float[] dg = dGate.data();
    float[] du = dUp.data();
    int yo = dy.offset() + start;
    int go = gate.offset() + start;
    int uo = up.offset() + start;
    int dgo = dGate.offset() + start;
    int duo = dUp.offset() + start;
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector sigma = FloatVector.broadcast(F, 1f).div(FloatVector.fromArray(F, e, i).add(1f));
      FloatVector x = FloatVector.fromArray(F, g, go + i);
      FloatVector dv = FloatVector.fromArray(F, d, yo + i);
      FloatVector slope =
          FloatVector.broadcast(F, 1f).sub(sigma).fma(x, FloatVector.broadcast(F, 1f));
      FloatVector dx = dv.mul(FloatVector.fromArray(F, u, uo + i)).mul(sigma.mul(slope));
      dv.mul(x).mul(sigma).intoArray(du, duo + i);
      dx.intoArray(dg, dgo + i);
    }
    for (; i < count; i++) {
      float sigma = 1f / (e[i] + 1f);
      float x = g[go + i];
      float dv = d[yo + i];
      float slope = Math.fma(1f - sigma, x, 1f);
      float dx = dv * u[uo + i] * (sigma * slope);
      du[duo + i] = dv * x * sigma;
      dg[dgo + i] = dx;
    }
  }

  @Override
  public void add(Tensor x, Tensor y) {
    SimdTensor from = SimdTensor.of(x);
    SimdTensor to = SimdTensor.of(y);
    chunks(
        from.size(),
        CHUNK,
        (start, count, worker) ->
            add(from.data(), from.offset() + start, to.data(), to.offset() + start, count));
  }

  private static void add(float[] x, int from, float[] y, int to, int count) {
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector.fromArray(F, y, to + i)
          .add(FloatVector.fromArray(F, x, from + i))
          .intoArray(y, to + i);
    }
    for (; i < count; i++) {
      y[to + i] += x[from + i];
    }
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    SimdTensor from = SimdTensor.of(x);
    SimdTensor to = SimdTensor.of(y);
    chunks(
        from.size(),
        CHUNK,
        (start, count, worker) ->
            System.arraycopy(
                from.data(), from.offset() + start, to.data(), to.offset() + start, count));
  }

  @Override
  public void zero(Tensor x) {
    SimdTensor to = SimdTensor.of(x);
    chunks(
        to.size(),
        CHUNK,
        (start, count, worker) -> {
          int from = to.offset() + start;
          Arrays.fill(to.data(), from, from + count, 0f);
        });
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    SimdTensor from = SimdTensor.of(x);
    SimdTensor to = SimdTensor.of(y);
    int[] index = SimdIntTensor.of(rows).data();
    rows(
        rows.rows(),
        (row, worker) ->
            System.arraycopy(from.data(), from.at(index[row]), to.data(), to.at(row), from.cols()));
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    SimdTensor from = SimdTensor.of(dy);
    SimdTensor to = SimdTensor.of(dx);
    int[] index = SimdIntTensor.of(rows).data();
    rows(
        rows.rows(),
        (row, worker) -> add(from.data(), from.at(row), to.data(), to.at(index[row]), from.cols()));
  }

  private void rows(int rows, Task row) {
    RowTasks.run(bench.pool(), rows, ROWS_PER_TASK, row);
  }

  /** A run of elements. */
  private interface Chunk {
    void run(int start, int count, int worker);
  }

  private void chunks(int size, int length, Chunk chunk) {
    int count = (size + length - 1) / length;
    bench
        .pool()
        .run(
            count,
            (index, worker) -> {
              int start = index * length;
              chunk.run(start, Math.min(length, size - start), worker);
            });
  }
}
