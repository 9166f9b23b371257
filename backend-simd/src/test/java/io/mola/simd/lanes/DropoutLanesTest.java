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

  @ParameterizedTest(name = "{0} columns")
  @CsvSource({"1", "64", "67", "576"})
  void whatWasKeptMasksLater(int cols) {
    int rows = 3;
    int panels = (cols + 2 * VectorWidth.LANES - 1) / (2 * VectorWidth.LANES);
    int width = panels * 2 * VectorWidth.LANES;
    int ld = 2 * panels;
    Dropout dropout = new Dropout(0.4f, 11, 3, 5, 17);
    float[] ones = new float[width];
    Arrays.fill(ones, 1f);
    float[] y = new float[cols];
    int[] words = new int[DropoutLanes.wordsLength(cols)];
    int[] kept = new int[rows * ld];
    assertThat(DropoutLanes.keptLength(cols)).isLessThanOrEqualTo(ld);
    for (int row = 0; row < rows; row++) {
      DropoutLanes.keep(dropout, row, cols, words, kept, row * ld);
    }
    for (int panel = 0; panel < panels; panel++) {
      float[] sums = new float[rows * 2 * VectorWidth.LANES];
      Arrays.fill(sums, 3f);
      DropoutLanes.mask(sums, 0, rows, kept, 2 * panel, ld, dropout.keptScale());
      for (int row = 0; row < rows; row++) {
        DropoutLanes.apply(dropout, row, cols, ones, 0, y, 0, words);
        int first = panel * 2 * VectorWidth.LANES;
        for (int j = first; j < Math.min(cols, first + 2 * VectorWidth.LANES); j++) {
          assertThat(sums[row * 2 * VectorWidth.LANES + j - first]).isEqualTo(3f * y[j]);
        }
      }
    }
  }
}
