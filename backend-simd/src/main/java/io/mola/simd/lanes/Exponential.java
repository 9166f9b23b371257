package io.mola.simd.lanes;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The exponential function over arrays, within 2 units in the last place; below −86.9 it is 0,
 * above 88.72 infinite, NaN stays NaN.
 *
 * <p>{@code exp(x) = 2^n · p(r)} with n = round(x / ln 2), r = x − n ln 2 in two parts, and the
 * polynomial of Cephes' expf (Moshier). {@code lanewise(EXP)} would be as fast where the platform
 * has it, but it is another function in interpreted code than in compiled code: results would
 * depend on when the compiler got there. Additions, products and fma give the same bits always.
 *
 * <p>Vectors never leave this method: one that crosses a call that is not inlined is boxed.
 */
@SuppressWarnings(
    "FloatingPointLiteralPrecision") // constants as published, more digits than needed
public final class Exponential {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final float LOG2_E = 1.44269504f;
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;

  /** Adding 1.5 · 2^23 rounds to an integer, which then stands in the low bits. */
  private static final float ROUND = 12582912f;

  private static final int ROUND_BITS = 0x4B400000;
  private static final float LOWEST = -86.9f;
  private static final float HIGHEST = 88.72283f;
  private static final float P0 = 1.9875691500e-4f;
  private static final float P1 = 1.3981999507e-3f;
  private static final float P2 = 8.3334519073e-3f;
  private static final float P3 = 4.1665795894e-2f;
  private static final float P4 = 1.6666665459e-1f;
  private static final float P5 = 5.0000001201e-1f;

  private Exponential() {}

  /** {@code a[i] = exp(a[i])} for i in [from, from + count). */
  public static void apply(float[] a, int from, int count) {
    scaled(a, from, 1f, a, from, count);
  }

  /** {@code to[at + i] = exp(factor · a[from + i])} for i below count. */
  public static void scaled(float[] a, int from, float factor, float[] to, int at, int count) {
    int i = 0;
    for (; i <= count - VectorWidth.LANES; i += VectorWidth.LANES) {
      FloatVector x = FloatVector.fromArray(F, a, from + i).mul(factor);
      // what will be replaced is computed for 0: at the bound the half power would be subnormal,
      // which takes the processor a hundred cycles, and masked scores are infinitely small
      VectorMask<Float> below = x.compare(VectorOperators.LT, LOWEST);
      VectorMask<Float> above = x.compare(VectorOperators.GT, HIGHEST);
      FloatVector c = x.blend(0f, below).blend(0f, above);
      FloatVector t = c.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND));
      FloatVector n = t.sub(ROUND);
      FloatVector r = n.fma(FloatVector.broadcast(F, -LN2_HIGH), c);
      r = n.fma(FloatVector.broadcast(F, -LN2_LOW), r);
      FloatVector p = FloatVector.broadcast(F, P0);
      p = p.fma(r, FloatVector.broadcast(F, P1));
      p = p.fma(r, FloatVector.broadcast(F, P2));
      p = p.fma(r, FloatVector.broadcast(F, P3));
      p = p.fma(r, FloatVector.broadcast(F, P4));
      p = p.fma(r, FloatVector.broadcast(F, P5));
      p = p.fma(r.mul(r), r).add(1f);
      // 2^(n-1), then twice that: n may be 128
      IntVector half = t.reinterpretAsInts().sub(ROUND_BITS - 126);
      FloatVector power = half.lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      p = p.mul(power).mul(2f);
      p.blend(0f, below).blend(Float.POSITIVE_INFINITY, above).intoArray(to, at + i);
    }
    for (; i < count; i++) {
      to[at + i] = of(factor * a[from + i]);
    }
  }

  /** exp(x), the same bits as in a vector. */
  public static float of(float x) {
    if (x < LOWEST) {
      return 0f;
    }
    if (x > HIGHEST) {
      return Float.POSITIVE_INFINITY;
    }
    float t = Math.fma(x, LOG2_E, ROUND);
    float n = t - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
    float p = Math.fma(P0, r, P1);
    p = Math.fma(p, r, P2);
    p = Math.fma(p, r, P3);
    p = Math.fma(p, r, P4);
    p = Math.fma(p, r, P5);
    p = Math.fma(p, r * r, r) + 1f;
    int half = Float.floatToRawIntBits(t) - (ROUND_BITS - 126);
    return p * Float.intBitsToFloat(half << 23) * 2f;
  }
}
