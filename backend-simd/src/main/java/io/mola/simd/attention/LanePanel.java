package io.mola.simd.attention;

import io.mola.simd.lanes.Transposition;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.MicroKernel;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Arrays [rows][COLUMNS] whose lanes are tokens: two vectors per row. */
final class LanePanel {
  static final int COLUMNS = MicroKernel.COLUMNS;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;

  private LanePanel() {}

  /** {@code to[i][lane] = factor · x[row + lane][column + i]}, i below c; lanes beyond count: 0. */
  static void turn(
      Rows x, int row, int count, int column, int c, float factor, float[] to, int at) {
    Transposition.run(x.data(), x.at(row) + column, x.ld(), count, c, factor, to, at, COLUMNS);
    if (count < COLUMNS) {
      for (int i = 0; i < c; i++) {
        Arrays.fill(to, at + i * COLUMNS + count, at + (i + 1) * COLUMNS, 0f);
      }
    }
  }

  /**
   * {@code y[row + lane][column + i] = factor[lane] · from[i][lane]}; {@code from} is void
   * afterwards.
   */
  static void turnBack(
      float[] from, int at, int c, float[] factor, int fo, Rows y, int row, int count, int column) {
    multiply(from, at, c, factor, fo);
    Transposition.run(from, at, COLUMNS, c, count, 1f, y.data(), y.at(row) + column, y.ld());
  }

  /** Fills the lanes of a row outside [from, to). */
  static void mask(float[] s, int row, int from, int to, float fill) {
    int begin = Math.clamp(from, 0, COLUMNS);
    int end = Math.clamp(to, begin, COLUMNS);
    Arrays.fill(s, row, row + begin, fill);
    Arrays.fill(s, row + end, row + COLUMNS, fill);
  }

  /** {@code max[lane] = max(max[lane], s[r][lane])} over some rows. */
  static void max(float[] s, int so, int rows, float[] max, int mo) {
    FloatVector a = FloatVector.fromArray(F, max, mo);
    FloatVector b = FloatVector.fromArray(F, max, mo + L);
    for (int r = 0; r < rows; r++) {
      a = a.max(FloatVector.fromArray(F, s, so + r * COLUMNS));
      b = b.max(FloatVector.fromArray(F, s, so + r * COLUMNS + L));
    }
    a.intoArray(max, mo);
    b.intoArray(max, mo + L);
  }

  /** {@code sum[lane] += s[r][lane]} over some rows. */
  static void addSums(float[] s, int so, int rows, float[] sum, int at) {
    FloatVector a = FloatVector.fromArray(F, sum, at);
    FloatVector b = FloatVector.fromArray(F, sum, at + L);
    for (int r = 0; r < rows; r++) {
      a = a.add(FloatVector.fromArray(F, s, so + r * COLUMNS));
      b = b.add(FloatVector.fromArray(F, s, so + r * COLUMNS + L));
    }
    a.intoArray(sum, at);
    b.intoArray(sum, at + L);
  }

  /** {@code s[r][lane] -= shift[lane]} for some rows. */
  static void subtract(float[] s, int so, int rows, float[] shift, int at) {
    FloatVector a = FloatVector.fromArray(F, shift, at);
    FloatVector b = FloatVector.fromArray(F, shift, at + L);
    for (int r = 0; r < rows; r++) {
      int o = so + r * COLUMNS;
      FloatVector.fromArray(F, s, o).sub(a).intoArray(s, o);
      FloatVector.fromArray(F, s, o + L).sub(b).intoArray(s, o + L);
    }
  }

  /** {@code s[r][lane] *= factor[lane]} for some rows. */
  static void multiply(float[] s, int so, int rows, float[] factor, int at) {
    FloatVector a = FloatVector.fromArray(F, factor, at);
    FloatVector b = FloatVector.fromArray(F, factor, at + L);
    for (int r = 0; r < rows; r++) {
      int o = so + r * COLUMNS;
      FloatVector.fromArray(F, s, o).mul(a).intoArray(s, o);
      FloatVector.fromArray(F, s, o + L).mul(b).intoArray(s, o + L);
    }
  }

  /** {@code d[r][lane] = p[r][lane] · (d[r][lane] − delta[lane])} for some rows. */
  static void scoreGradients(
      float[] p, int po, float[] d, int at, int rows, float[] delta, int deltaAt) {
    FloatVector a = FloatVector.fromArray(F, delta, deltaAt);
    FloatVector b = FloatVector.fromArray(F, delta, deltaAt + L);
    for (int r = 0; r < rows; r++) {
      int o = at + r * COLUMNS;
      int q = po + r * COLUMNS;
      FloatVector x = FloatVector.fromArray(F, d, o).sub(a);
      FloatVector y = FloatVector.fromArray(F, d, o + L).sub(b);
      x.mul(FloatVector.fromArray(F, p, q)).intoArray(d, o);
      y.mul(FloatVector.fromArray(F, p, q + L)).intoArray(d, o + L);
    }
  }

  /** {@code s[lane] -= shift} for one row. */
  static void subtract(float[] s, int row, float shift) {
    FloatVector.fromArray(F, s, row).sub(shift).intoArray(s, row);
    FloatVector.fromArray(F, s, row + L).sub(shift).intoArray(s, row + L);
  }

  /** {@code d[lane] = p[lane] · (d[lane] − delta)} for one row. */
  static void scoreGradients(float[] p, int po, float[] d, int at, float delta) {
    FloatVector x = FloatVector.fromArray(F, d, at).sub(delta);
    FloatVector y = FloatVector.fromArray(F, d, at + L).sub(delta);
    x.mul(FloatVector.fromArray(F, p, po)).intoArray(d, at);
    y.mul(FloatVector.fromArray(F, p, po + L)).intoArray(d, at + L);
  }
}
