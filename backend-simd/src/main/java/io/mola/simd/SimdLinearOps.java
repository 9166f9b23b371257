package io.mola.simd;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LinearOps;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Panels;
import io.mola.simd.tiles.Product;
import io.mola.simd.tiles.RowProduct;
import io.mola.simd.tiles.Term;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import java.util.List;

/** Products with frozen weights: one dispatch packs x and multiplies it with the whole group. */
final class SimdLinearOps implements LinearOps {
  private static final int ROWS_PER_TASK = 16;

  private final Workbench bench;

  SimdLinearOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys) {
    SimdTensor input = SimdTensor.of(x);
    Panels[] panels = panels(weights, Direction.FORWARD);
    if (input.rows() == 1 && RowProduct.reads(panels)) {
      row(input, panels, ys);
      return;
    }
    bench.workspace().reset();
    PackedActivations packed =
        new PackedActivations().shape(bench.workspace(), input.rows(), input.cols());
    Stage[] products = new Stage[panels.length];
    for (int i = 0; i < products.length; i++) {
      SimdTensor y = SimdTensor.of(ys.get(i));
      products[i] =
          Product.of(bench, y.data(), y.offset(), y.cols(), false, new Term(packed, panels[i]));
    }
    bench
        .pool()
        .run(packed.fromRows(input.data(), input.offset(), input.cols()), Stage.all(products));
  }

  /** One row: nothing to pack. */
  private void row(SimdTensor x, Panels[] panels, List<Tensor> ys) {
    Stage[] products = new Stage[panels.length];
    for (int i = 0; i < products.length; i++) {
      SimdTensor y = SimdTensor.of(ys.get(i));
      products[i] = RowProduct.of(bench, x.data(), x.offset(), panels[i], y.data(), y.offset());
    }
    bench.pool().run(Stage.all(products));
  }

  @Override
  public void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx) {
    SimdTensor to = SimdTensor.of(dx);
    Panels[] panels = panels(weights, Direction.BACKWARD);
    bench.workspace().reset();
    Stage[] packing = new Stage[panels.length];
    Term[] terms = new Term[panels.length];
    for (int i = 0; i < terms.length; i++) {
      SimdTensor dy = SimdTensor.of(dys.get(i));
      PackedActivations packed =
          new PackedActivations().shape(bench.workspace(), dy.rows(), dy.cols());
      packing[i] = packed.fromRows(dy.data(), dy.offset(), dy.cols());
      terms[i] = new Term(packed, panels[i]);
    }
    bench
        .pool()
        .run(Stage.all(packing), Product.of(bench, to.data(), to.offset(), to.cols(), true, terms));
  }

  /** The panels of a group; packs those that are not packed yet, so not inside a dispatch. */
  static Panels[] panels(List<FrozenMatrix> weights, Direction direction) {
    Panels[] panels = new Panels[weights.size()];
    for (int i = 0; i < panels.length; i++) {
      panels[i] = SimdFrozenMatrix.of(weights.get(i)).panels(direction);
    }
    return panels;
  }

  @Override
  public void embed(IntTensor ids, FrozenMatrix table, Tensor y) {
    SimdIntTensor tokens = SimdIntTensor.of(ids);
    StoredMatrix matrix = SimdFrozenMatrix.of(table).stored();
    SimdTensor to = SimdTensor.of(y);
    RowTasks.run(
        bench.pool(),
        tokens.rows(),
        ROWS_PER_TASK,
        (row, worker) -> {
          int id = tokens.data()[row];
          RowDecoder.decodeRow(matrix, id, to.data(), to.at(row));
          RowDecoder.requireFinite(matrix, id, to.data(), to.at(row));
        });
  }
}
