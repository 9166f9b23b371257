package io.mola.testdata.contract;

import java.util.Arrays;
import java.util.function.ToDoubleFunction;

/** Plain mathematics in double for formulas and finite differences. */
final class Doubles {
  /** Step of central differences: truncation about 1e-10, cancellation about 1e-11. */
  private static final double STEP = 1e-5;

  private Doubles() {}

  /** Row-major elements. */
  static double[] flat(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  /** {@code x · yᵀ}: the entry (i, j) is the product of row i of x and row j of y. */
  static double[][] timesTransposed(double[][] x, double[][] y) {
    double[][] product = new double[x.length][y.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < y.length; j++) {
        product[i][j] = dot(x[i], y[j]);
      }
    }
    return product;
  }

  static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  /** Sum of the elementwise product. */
  static double dot(double[][] x, double[][] y) {
    return dot(flat(x), flat(y));
  }

  /** {@code exp(x_i) / Σ exp(x_j)}. */
  static double[] softmax(double[] x) {
    double largest = Arrays.stream(x).max().orElseThrow();
    double[] p = Arrays.stream(x).map(value -> Math.exp(value - largest)).toArray();
    double sum = Arrays.stream(p).sum();
    return Arrays.stream(p).map(value -> value / sum).toArray();
  }

  /** The gradient of f with respect to the matrix, by central differences; x is left as it was. */
  static double[][] gradient(double[][] x, ToDoubleFunction<double[][]> f) {
    double[][] gradient = new double[x.length][x[0].length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x[i].length; j++) {
        double at = x[i][j];
        x[i][j] = at + STEP;
        double above = f.applyAsDouble(x);
        x[i][j] = at - STEP;
        double below = f.applyAsDouble(x);
        x[i][j] = at;
        gradient[i][j] = (above - below) / (2 * STEP);
      }
    }
    return gradient;
  }

  /** {@code x + y}. */
  static double[][] plus(double[][] x, double[][] y) {
    double[][] sum = new double[x.length][];
    for (int i = 0; i < x.length; i++) {
      sum[i] = x[i].clone();
      for (int j = 0; j < x[i].length; j++) {
        sum[i][j] += y[i][j];
      }
    }
    return sum;
  }
}
