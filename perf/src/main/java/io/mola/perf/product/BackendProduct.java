package io.mola.perf.product;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** A product by a backend of the program, through the interface that the program uses. */
final class BackendProduct implements FrozenProduct {
  private final Backend backend;
  private final Region region;
  private final FrozenMatrix matrix;
  private final float[] mark = new float[1];

  BackendProduct(String name, BackendSettings settings, Operands operands) {
    backend = Backends.choose(name).open(settings);
    int rows = operands.rows();
    region =
        backend
            .memory()
            .allocate(
                new MemoryPlan.Builder()
                    .activation("x", rows, operands.in())
                    .activation("y", rows, operands.out())
                    .activation("dy", rows, operands.out())
                    .activation("dx", rows, operands.in())
                    .build());
    backend.memory().upload(operands.x().values(), region.tensor("x"));
    backend.memory().upload(operands.dy().values(), region.tensor("dy"));
    matrix = backend.memory().load(operands.stored());
  }

  @Override
  public void forward(int rows) {
    backend.linear().forward(top("x", rows), List.of(matrix), List.of(top("y", rows)));
    await("y");
  }

  @Override
  public void backward(int rows) {
    backend.linear().backward(List.of(top("dy", rows)), List.of(matrix), top("dx", rows));
    await("dx");
  }

  /** Waits for the queue by fetching one number. */
  private void await(String name) {
    backend.memory().download(region.tensor(name).slice(0, 1, 1), mark);
  }

  @Override
  public float[] y(int rows) {
    return fetch("y", rows);
  }

  @Override
  public float[] dx(int rows) {
    return fetch("dx", rows);
  }

  private float[] fetch(String name, int rows) {
    Tensor tensor = top(name, rows);
    float[] values = new float[rows * tensor.cols()];
    backend.memory().download(tensor, values);
    return values;
  }

  private Tensor top(String name, int rows) {
    return region.tensor(name).top(rows);
  }

  @Override
  public void close() {
    matrix.close();
    region.close();
    backend.close();
  }
}
