package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TranspositionTest {
  private static final float GUARD = -7f;

  @ParameterizedTest(name = "{0} x {1}")
  @CsvSource({"1,1", "7,9", "8,8", "9,7", "16,64", "18,64", "32,33", "31,128"})
  void rowsBecomeColumnsAndNothingElseIsWritten(int rows, int cols) {
    int ld = cols + 3;
    int ldTo = rows + 5;
    float[] x = new float[2 + rows * ld];
    for (int i = 0; i < x.length; i++) {
      x[i] = i;
    }
    float[] y = new float[1 + cols * ldTo];
    Arrays.fill(y, GUARD);

    Transposition.run(x, 2, ld, rows, cols, 0.5f, y, 1, ldTo);

    float[] expected = new float[y.length];
    Arrays.fill(expected, GUARD);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < cols; j++) {
        expected[1 + j * ldTo + i] = x[2 + i * ld + j] * 0.5f;
      }
    }
    assertThat(y).isEqualTo(expected);
  }
}
