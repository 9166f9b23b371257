package io.mola.simd;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Sums;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Panels;
import io.mola.simd.tiles.RowProduct;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import io.mola.simd.work.StageList;
import java.util.List;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A group of projections with experts for one row, as generation needs it token by token: a factor
 * is used once, so it is read as it lies, where {@link SimdAdapterOps} would pack it first.
 */
final class AdapterRow {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  /** Rows of the first factors and routers that a task multiplies. */
  private static final int ROWS_PER_TASK = 16;

  /** Outputs of a task of the second factors: whole vectors of any width. */
  private static final int OUTPUTS_PER_TASK = 192;

  private final Workbench bench;
  private final SimdTensor x;
  private final Experts experts;
  private final State state;
  private final List<Tensor> ys;

  /** One row x; nothing is masked. */
  AdapterRow(Workbench bench, SimdTensor x, Experts experts, State state, List<Tensor> ys) {
    this.bench = bench;
    this.x = x;
    this.experts = experts;
    this.state = state;
    this.ys = ys;
  }

  /**
   * The whole forward pass.
   *
   * @param frozen panels that {@link RowProduct#reads} accepts
   * @param gating fills u from z and the logits
   * @param u [1, R]
   */
  void forward(Panels[] frozen, Stage gating, SimdTensor u) {
    StageList products = new StageList();
    for (int i = 0; i < frozen.length; i++) {
      SimdTensor y = SimdTensor.of(ys.get(i));
      products.add(RowProduct.of(bench, x.data(), x.offset(), frozen[i], y.data(), y.offset()));
    }
    products.add(dots(SimdTensor.of(experts.a()), SimdTensor.of(state.z())));
    if (experts.router() != null) {
      SimdTensor logits = SimdTensor.of(Objects.requireNonNull(state.logits()));
      products.add(dots(SimdTensor.of(experts.router()), logits));
    }
    StageList sums = new StageList();
    for (int i = 0; i < frozen.length; i++) {
      Member member = experts.members().get(i);
      if (member.b() != null) {
        int from = u.offset() + member.rankOffset();
        sums.add(weighted(u.data(), from, SimdTensor.of(member.b()), SimdTensor.of(ys.get(i))));
      }
    }
    bench.pool().run(products.all(), gating, sums.all());
  }

  /** {@code to[1, rows] = x · wᵀ}. */
  private Stage dots(SimdTensor w, SimdTensor to) {
    return RowTasks.stage(
        w.rows(),
        ROWS_PER_TASK,
        (row, worker) ->
            to.data()[to.offset() + row] =
                Sums.dot(
                    w.data(),
                    w.at(row),
                    x.data(),
                    x.offset(),
                    w.cols(),
                    bench.scratch()[worker].lanes));
  }

  /** {@code y[1, out] += u · b}, the rows of b in their order. */
  private static Stage weighted(float[] u, int uo, SimdTensor b, SimdTensor y) {
    int out = b.cols();
    return Stage.of(
        Math.ceilDiv(out, OUTPUTS_PER_TASK),
        (task, worker) -> {
          int from = task * OUTPUTS_PER_TASK;
          int count = Math.min(OUTPUTS_PER_TASK, out - from);
          addWeighted(
              u,
              uo,
              b.data(),
              b.offset() + from,
              out,
              b.rows(),
              y.data(),
              y.offset() + from,
              count);
        });
  }

  private static void addWeighted(
      float[] u, int uo, float[] b, int bo, int ld, int rows, float[] y, int yo, int count) {
    int i = 0;
    for (; i <= count - 4 * L; i += 4 * L) {
      FloatVector y0 = FloatVector.fromArray(F, y, yo + i);
      FloatVector y1 = FloatVector.fromArray(F, y, yo + i + L);
      FloatVector y2 = FloatVector.fromArray(F, y, yo + i + 2 * L);
      FloatVector y3 = FloatVector.fromArray(F, y, yo + i + 3 * L);
      for (int j = 0; j < rows; j++) {
        FloatVector v = FloatVector.broadcast(F, u[uo + j]);
        int p = bo + j * ld + i;
        y0 = v.fma(FloatVector.fromArray(F, b, p), y0);
        y1 = v.fma(FloatVector.fromArray(F, b, p + L), y1);
        y2 = v.fma(FloatVector.fromArray(F, b, p + 2 * L), y2);
        y3 = v.fma(FloatVector.fromArray(F, b, p + 3 * L), y3);
      }
      y0.intoArray(y, yo + i);
      y1.intoArray(y, yo + i + L);
      y2.intoArray(y, yo + i + 2 * L);
      y3.intoArray(y, yo + i + 3 * L);
    }
    for (; i < count; i++) {
      float sum = y[yo + i];
      for (int j = 0; j < rows; j++) {
        sum = Math.fma(u[uo + j], b[bo + j * ld + i], sum);
      }
      y[yo + i] = sum;
    }
  }
}
