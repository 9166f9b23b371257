package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LogarithmTest {
  /** Units in the last place: the polynomial's error and two roundings. */
  private static final double ULPS = 2;

  /** Near 1 the logarithm is as small as the roundings. */
  private static final double NEAR_ONE = 1e-7;

  @Test
  void isWithinTwoUnitsInTheLastPlaceOverAllNormalNumbers() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      int bits = 0x00800000 + random.nextInt(0x7F800000 - 0x00800000);
      assertClose(Float.intBitsToFloat(bits));
    }
    assertClose(Float.MIN_NORMAL);
    assertClose(Float.MAX_VALUE);
  }

  @Test
  void isAsCloseForSumsOfAFewExponentials() {
    Random random = new Random(2);
    for (int i = 0; i < 20_000; i++) {
      assertClose(1f + 100f * random.nextFloat());
    }
    assertThat(of(1f)).isZero();
    assertClose(Math.nextUp(1f));
    assertClose(Math.nextDown(1f));
  }

  private static void assertClose(float x) {
    double exact = StrictMath.log(x);
    double bound = Math.max(ULPS * Math.ulp((float) exact), NEAR_ONE);
    assertThat((double) of(x)).as("log(%s)", x).isBetween(exact - bound, exact + bound);
  }

  private static float of(float x) {
    float[] lanes = new float[VectorWidth.LANES + 2];
    Arrays.fill(lanes, x);
    Logarithm.apply(lanes, 1, VectorWidth.LANES);
    assertThat(lanes[0]).isEqualTo(x);
    assertThat(lanes[1]).isEqualTo(lanes[VectorWidth.LANES]);
    assertThat(lanes[VectorWidth.LANES + 1]).isEqualTo(x);
    return lanes[1];
  }
}
