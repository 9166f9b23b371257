package io.mola.core.backend.reference;

import io.mola.core.tensor.Tensor;
import java.util.Objects;

/** A view of a float array: element (row, col) is {@code data[offset + row * cols + col]}. */
record ReferenceTensor(float[] data, int offset, int rows, int cols) implements Tensor {
  /** The view behind a tensor of this backend. */
  static ReferenceTensor of(Tensor tensor) {
    if (tensor instanceof ReferenceTensor reference) {
      return reference;
    }
    throw new IllegalArgumentException(
        "tensor of another backend: " + tensor.getClass().getSimpleName());
  }

  /** The values of a tensor of this backend, widened. */
  static double[][] read(Tensor tensor) {
    ReferenceTensor from = of(tensor);
    double[][] values = new double[from.rows][from.cols];
    for (int row = 0; row < from.rows; row++) {
      for (int col = 0; col < from.cols; col++) {
        values[row][col] = from.get(row, col);
      }
    }
    return values;
  }

  /** {@code to = values}, rounded to float. */
  static void write(double[][] values, Tensor to) {
    ReferenceTensor target = of(to);
    for (int row = 0; row < target.rows; row++) {
      for (int col = 0; col < target.cols; col++) {
        target.set(row, col, values[row][col]);
      }
    }
  }

  /** {@code to += values}, the sum rounded to float. */
  static void add(double[][] values, Tensor to) {
    ReferenceTensor target = of(to);
    for (int row = 0; row < target.rows; row++) {
      for (int col = 0; col < target.cols; col++) {
        target.set(row, col, target.get(row, col) + values[row][col]);
      }
    }
  }

  float get(int row, int col) {
    return data[offset + Objects.checkIndex(row, rows) * cols + Objects.checkIndex(col, cols)];
  }

  void set(int row, int col, double value) {
    data[offset + Objects.checkIndex(row, rows) * cols + Objects.checkIndex(col, cols)] =
        (float) value;
  }

  /** Number of elements. */
  int size() {
    return rows * cols;
  }

  @Override
  public ReferenceTensor slice(long start, int sliceRows, int sliceCols) {
    long end = start + (long) sliceRows * sliceCols;
    if (start < 0 || sliceRows < 0 || sliceCols < 0 || end > size()) {
      throw new IllegalArgumentException(
          "slice [%d, %d] at %d reaches beyond the [%d, %d] tensor"
              .formatted(sliceRows, sliceCols, start, rows, cols));
    }
    return new ReferenceTensor(data, Math.toIntExact(offset + start), sliceRows, sliceCols);
  }
}
