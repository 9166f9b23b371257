package io.mola.testdata;

import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleSupplier;

/**
 * A row-major [rows, cols] array of floats on the host.
 *
 * @param rows row count
 * @param cols column count
 * @param values {@code rows * cols} elements
 */
public record HostTensor(int rows, int cols, float[] values) {
  /** Checks the length. */
  public HostTensor {
    if (values.length != rows * cols) {
      throw new IllegalArgumentException(
          values.length + " values for a [" + rows + ", " + cols + "] tensor");
    }
  }

  /** Every element is {@code value}. */
  public static HostTensor filled(int rows, int cols, float value) {
    float[] values = new float[rows * cols];
    Arrays.fill(values, value);
    return new HostTensor(rows, cols, values);
  }

  /** Independent normal numbers of the given standard deviation. */
  public static HostTensor random(int rows, int cols, double deviation, Random random) {
    return generate(rows, cols, () -> deviation * random.nextGaussian());
  }

  /** Elements in order from a generator. */
  public static HostTensor generate(int rows, int cols, DoubleSupplier generator) {
    float[] values = new float[rows * cols];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) generator.getAsDouble();
    }
    return new HostTensor(rows, cols, values);
  }

  /** Rounds a matrix of doubles. */
  public static HostTensor of(double[][] rows) {
    int cols = rows[0].length;
    HostTensor tensor = filled(rows.length, cols, 0);
    for (int r = 0; r < rows.length; r++) {
      for (int c = 0; c < cols; c++) {
        tensor.set(r, c, (float) rows[r][c]);
      }
    }
    return tensor;
  }

  /** Element (row, col). */
  public float get(int row, int col) {
    return values[row * cols + col];
  }

  /** Writes element (row, col). */
  public void set(int row, int col, float value) {
    values[row * cols + col] = value;
  }

  /** The elements as doubles. */
  public double[] toDoubles() {
    double[] doubles = new double[values.length];
    for (int i = 0; i < doubles.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** The rows as doubles. */
  public double[][] toRows() {
    double[][] matrix = new double[rows][cols];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < cols; c++) {
        matrix[r][c] = get(r, c);
      }
    }
    return matrix;
  }

  /** Rows {@code from .. to - 1} as a copy. */
  public HostTensor rows(int from, int to) {
    return new HostTensor(to - from, cols, Arrays.copyOfRange(values, from * cols, to * cols));
  }

  /** A copy that can be written. */
  public HostTensor copy() {
    return new HostTensor(rows, cols, values.clone());
  }
}
