package io.mola.simd.lanes;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums over a run of floats in one fixed order: four vectors of partial sums, then the lanes from
 * left to right. {@code reduceLanes(ADD)} may add in any order, another one in compiled code than
 * in interpreted code, so it is not used.
 */
public final class Sums {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final VectorSpecies<Double> D = VectorWidth.DOUBLE;
  private static final int L = VectorWidth.LANES;

  private Sums() {}

  /**
   * {@code Σ_i x[xo + i] · y[yo + i]}.
   *
   * @param lanes scratch of at least one vector
   */
  public static float dot(float[] x, int xo, float[] y, int yo, int count, float[] lanes) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    int i = 0;
    for (; i <= count - 2 * L; i += 2 * L) {
      a = FloatVector.fromArray(F, x, xo + i).fma(FloatVector.fromArray(F, y, yo + i), a);
      b = FloatVector.fromArray(F, x, xo + i + L).fma(FloatVector.fromArray(F, y, yo + i + L), b);
    }
    for (; i <= count - L; i += L) {
      a = FloatVector.fromArray(F, x, xo + i).fma(FloatVector.fromArray(F, y, yo + i), a);
    }
    a.add(b).intoArray(lanes, 0);
    float sum = 0;
    for (int j = 0; j < L; j++) {
      sum += lanes[j];
    }
    for (; i < count; i++) {
      sum = Math.fma(x[xo + i], y[yo + i], sum);
    }
    return sum;
  }

  /**
   * {@code Σ_i x[xo + i] · y[yo + i] · z[zo + i]}.
   *
   * @param lanes scratch of at least one vector
   */
  public static float dot(
      float[] x, int xo, float[] y, int yo, float[] z, int zo, int count, float[] lanes) {
    FloatVector a = FloatVector.zero(F);
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector p = FloatVector.fromArray(F, x, xo + i).mul(FloatVector.fromArray(F, y, yo + i));
      a = p.fma(FloatVector.fromArray(F, z, zo + i), a);
    }
    a.intoArray(lanes, 0);
    float sum = 0;
    for (int j = 0; j < L; j++) {
      sum += lanes[j];
    }
    for (; i < count; i++) {
      sum = Math.fma(x[xo + i] * y[yo + i], z[zo + i], sum);
    }
    return sum;
  }

  /** {@code Σ_i x[xo + i]} in double. */
  public static double sum(float[] x, int xo, int count, double[] lanes) {
    DoubleVector a = DoubleVector.zero(D);
    DoubleVector b = a;
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, xo + i);
      a = a.add(v.convertShape(VectorOperators.F2D, D, 0));
      b = b.add(v.convertShape(VectorOperators.F2D, D, 1));
    }
    double sum = lanes(a.add(b), lanes);
    for (; i < count; i++) {
      sum += x[xo + i];
    }
    return sum;
  }

  /** {@code Σ_i x[xo + i]²} in double. */
  public static double squares(float[] x, int xo, int count, double[] lanes) {
    DoubleVector a = DoubleVector.zero(D);
    DoubleVector b = a;
    int i = 0;
    for (; i <= count - L; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, xo + i);
      DoubleVector low = (DoubleVector) v.convertShape(VectorOperators.F2D, D, 0);
      DoubleVector high = (DoubleVector) v.convertShape(VectorOperators.F2D, D, 1);
      a = low.fma(low, a);
      b = high.fma(high, b);
    }
    double sum = lanes(a.add(b), lanes);
    for (; i < count; i++) {
      sum = Math.fma((double) x[xo + i], x[xo + i], sum);
    }
    return sum;
  }

  /** The largest of x; order does not matter here. */
  public static float max(float[] x, int xo, int count) {
    FloatVector a = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i <= count - L; i += L) {
      a = a.max(FloatVector.fromArray(F, x, xo + i));
    }
    float max = a.reduceLanes(VectorOperators.MAX);
    for (; i < count; i++) {
      max = Math.max(max, x[xo + i]);
    }
    return max;
  }

  private static double lanes(DoubleVector v, double[] lanes) {
    v.intoArray(lanes, 0);
    double sum = 0;
    for (int j = 0; j < D.length(); j++) {
      sum += lanes[j];
    }
    return sum;
  }
}
