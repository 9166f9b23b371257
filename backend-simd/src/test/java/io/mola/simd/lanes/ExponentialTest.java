package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ExponentialTest {
  /** Units in the last place: the polynomial's error and two roundings. */
  private static final double ULPS = 2;

  @Test
  void isWithinTwoUnitsInTheLastPlace() {
    float[] x = new float[200_003];
    Random random = new Random(1);
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (-86.9 + random.nextDouble() * (88.7 + 86.9));
    }
    float[] y = x.clone();
    Exponential.apply(y, 0, y.length);
    for (int i = 0; i < x.length; i++) {
      double exact = StrictMath.exp(x[i]);
      assertThat(Math.abs(y[i] - exact)).isLessThanOrEqualTo(ULPS * Math.ulp((float) exact));
    }
  }

  @Test
  void aLaneAndTheScalarTailHaveTheSameBits() {
    Random random = new Random(2);
    for (int count : new int[] {1, VectorWidth.LANES - 1, 3 * VectorWidth.LANES + 1}) {
      float[] x = new float[count + 5];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) (40 * random.nextGaussian());
      }
      float[] y = x.clone();
      Exponential.apply(y, 3, count);
      for (int i = 0; i < x.length; i++) {
        boolean inside = i >= 3 && i < 3 + count;
        assertThat(y[i]).isEqualTo(inside ? Exponential.of(x[i]) : x[i]);
      }
    }
  }

  @Test
  void aFactorAndAnotherArrayGiveTheSameBits() {
    float[] x = {-3, 0.5f, 80, -90, 0, 7, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11, 12, 13};
    float[] y = new float[x.length + 1];
    Exponential.scaled(x, 1, -1f, y, 2, x.length - 1);
    for (int i = 1; i < x.length; i++) {
      assertThat(y[i + 1]).isEqualTo(Exponential.of(-x[i]));
    }
    assertThat(y[0]).isZero();
    assertThat(y[1]).isZero();
  }

  @Test
  void theEndsOfTheRangeAreZeroInfinityAndNaN() {
    float[] x = new float[2 * VectorWidth.LANES];
    float[] ends = {
      Float.NEGATIVE_INFINITY, -1e30f, -87, 89, Float.POSITIVE_INFINITY, Float.NaN, 0
    };
    float infinite = Float.POSITIVE_INFINITY;
    float[] wanted = {0, 0, 0, infinite, infinite, Float.NaN, 1};
    for (int i = 0; i < ends.length; i++) {
      Arrays.fill(x, ends[i]);
      Exponential.apply(x, 0, x.length);
      assertThat(x).as("exp(%s)", ends[i]).containsOnly(wanted[i]);
      assertThat(Exponential.of(ends[i])).isEqualTo(Float.valueOf(wanted[i]));
    }
  }
}
