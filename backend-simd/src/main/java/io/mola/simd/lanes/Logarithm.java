package io.mola.simd.lanes;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The natural logarithm of positive normal numbers, within 2 units in the last place away from 1
 * and 1e-7 near it; anything for other numbers.
 *
 * <p>{@code log(2^n · (1 + r)) = n ln 2 + r − r²/2 + r³ p(r)} with 1 + r between √½ and √2, and the
 * polynomial of Cephes' logf (Moshier). As for {@link Exponential}, the platform's own function
 * would be another one in interpreted code.
 */
@SuppressWarnings(
    "FloatingPointLiteralPrecision") // constants as published, more digits than needed
public final class Logarithm {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final float ROOT_HALF = 0.707106781186547524f;
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;
  private static final int EXPONENT_OF_HALF = 126;
  private static final int HALF_BITS = EXPONENT_OF_HALF << 23;
  private static final int FRACTION_BITS = 0x7FFFFF;
  private static final float P0 = 7.0376836292e-2f;
  private static final float P1 = -1.1514610310e-1f;
  private static final float P2 = 1.1676998740e-1f;
  private static final float P3 = -1.2420140846e-1f;
  private static final float P4 = 1.4249322787e-1f;
  private static final float P5 = -1.6668057665e-1f;
  private static final float P6 = 2.0000714765e-1f;
  private static final float P7 = -2.4999993993e-1f;
  private static final float P8 = 3.3333331174e-1f;

  private Logarithm() {}

  /** {@code a[i] = log(a[i])} for i in [from, from + count), count being whole vectors. */
  public static void apply(float[] a, int from, int count) {
    for (int i = from; i < from + count; i += VectorWidth.LANES) {
      IntVector bits = FloatVector.fromArray(F, a, i).reinterpretAsInts();
      FloatVector m = bits.and(FRACTION_BITS).or(HALF_BITS).reinterpretAsFloats();
      IntVector exponent = bits.lanewise(VectorOperators.LSHR, 23).sub(EXPONENT_OF_HALF);
      FloatVector n = (FloatVector) exponent.convert(VectorOperators.I2F, 0);
      VectorMask<Float> small = m.compare(VectorOperators.LT, ROOT_HALF);
      n = n.blend(n.sub(1f), small);
      FloatVector r = m.blend(m.add(m), small).sub(1f);
      FloatVector p = FloatVector.broadcast(F, P0);
      p = p.fma(r, FloatVector.broadcast(F, P1));
      p = p.fma(r, FloatVector.broadcast(F, P2));
      p = p.fma(r, FloatVector.broadcast(F, P3));
      p = p.fma(r, FloatVector.broadcast(F, P4));
      p = p.fma(r, FloatVector.broadcast(F, P5));
      p = p.fma(r, FloatVector.broadcast(F, P6));
      p = p.fma(r, FloatVector.broadcast(F, P7));
      p = p.fma(r, FloatVector.broadcast(F, P8));
      FloatVector square = r.mul(r);
      FloatVector y = p.mul(square.mul(r));
      y = n.fma(FloatVector.broadcast(F, LN2_LOW), y);
      y = square.fma(FloatVector.broadcast(F, -0.5f), y);
      n.fma(FloatVector.broadcast(F, LN2_HIGH), r.add(y)).intoArray(a, i);
    }
  }
}
