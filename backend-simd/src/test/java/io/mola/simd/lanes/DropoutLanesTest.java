package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Dropout;
import io.mola.core.backend.Philox;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DropoutLanesTest {
  @ParameterizedTest(name = "{0} columns from row {1}")
  @CsvSource({"1,0", "3,5", "64,0", "67,1", "576,1000000", "1001,4294967299"})
  void rowsAreMaskedByTheWordsOfPhilox(int cols, long firstRow) {
    Dropout dropout = new Dropout(0.4f, 0x9876543210ABCDEFL, 7, 13, firstRow);
    float[] x = new float[cols + 2];
    Arrays.fill(x, 1f);
    float[] y = new float[cols + 2];
    int[] words = new int[DropoutLanes.wordsLength(cols)];
    int[] four = new int[4];
    for (int row = 0; row < 5; row++) {
      DropoutLanes.apply(dropout, row, cols, x, 1, y, 1, words);
      for (int col = 0; col < cols; col++) {
        long i = (firstRow + row) * cols + col;
        Philox.words(dropout.seed(), (int) (i / 4), (int) (i / 4 >>> 32), 7, 13, four);
        boolean kept = four[(int) (i % 4)] >>> 8 >= dropout.threshold();
        assertThat(y[1 + col]).isEqualTo(kept ? dropout.keptScale() : 0f);
      }
      assertThat(y[0]).isZero();
      assertThat(y[cols + 1]).isZero();
    }
  }
}
