package io.mola.simd;

import io.mola.core.backend.NormOps;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Sums;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** RMS norm, row by row. */
final class SimdNormOps implements NormOps {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;
  private static final int ROWS_PER_TASK = 16;

  private final Workbench bench;

  SimdNormOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd) {
    SimdTensor from = SimdTensor.of(x);
    SimdTensor g = SimdTensor.of(gain);
    SimdTensor to = SimdTensor.of(y);
    SimdTensor r = SimdTensor.of(rstd);
    int d = from.cols();
    RowTasks.run(
        bench.pool(),
        from.rows(),
        ROWS_PER_TASK,
        (row, worker) -> {
          float[] v = from.data();
          int xo = from.at(row);
          double squares = Sums.squares(v, xo, d, bench.scratch()[worker].doubleLanes);
          float scale = (float) (1 / Math.sqrt(squares / d + epsilon));
          r.data()[r.offset() + row] = scale;
          scaled(v, xo, scale, g.data(), g.offset(), to.data(), to.at(row), d);
        });
  }

  /** {@code y = x · scale · gain}. */
  private static void scaled(
      float[] x, int xo, float scale, float[] gain, int go, float[] y, int yo, int d) {
    int i = 0;
    for (; i <= d - L; i += L) {
      FloatVector.fromArray(F, x, xo + i)
          .mul(scale)
          .mul(FloatVector.fromArray(F, gain, go + i))
          .intoArray(y, yo + i);
    }
    for (; i < d; i++) {
      y[yo + i] = x[xo + i] * scale * gain[go + i];
    }
  }

  @Override
  public void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx) {
    SimdTensor from = SimdTensor.of(dy);
    SimdTensor in = SimdTensor.of(x);
    SimdTensor g = SimdTensor.of(gain);
    SimdTensor r = SimdTensor.of(rstd);
    SimdTensor to = SimdTensor.of(dx);
    int d = in.cols();
    RowTasks.run(
        bench.pool(),
        in.rows(),
        ROWS_PER_TASK,
        (row, worker) -> {
          float scale = r.data()[r.offset() + row];
          float[] lanes = bench.scratch()[worker].lanes;
          float dot =
              Sums.dot(
                  from.data(), from.at(row), g.data(), g.offset(), in.data(), in.at(row), d, lanes);
          float slope = scale * scale * (dot / d);
          backwardRow(from, in, g, to, row, scale, slope);
        });
  }

  /** {@code dx += scale · (dy · gain − x · slope)}. */
  private static void backwardRow(
      SimdTensor dy,
      SimdTensor x,
      SimdTensor gain,
      SimdTensor dx,
      int row,
      float scale,
      float slope) {
    int d = x.cols();
    int yo = dy.at(row);
    int xo = x.at(row);
    int go = gain.offset();
    int to = dx.at(row);
    int i = 0;
    for (; i <= d - L; i += L) {
      FloatVector g =
          FloatVector.fromArray(F, dy.data(), yo + i)
              .mul(FloatVector.fromArray(F, gain.data(), go + i));
      FloatVector change = g.sub(FloatVector.fromArray(F, x.data(), xo + i).mul(slope)).mul(scale);
      FloatVector.fromArray(F, dx.data(), to + i).add(change).intoArray(dx.data(), to + i);
    }
    for (; i < d; i++) {
      float g = dy.data()[yo + i] * gain.data()[go + i];
      dx.data()[to + i] += (g - x.data()[xo + i] * slope) * scale;
    }
  }
}
