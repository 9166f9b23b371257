package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.testdata.QuantisedMatrices;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DecodingLanesTest {
  private static final int OUT = 8;
  private static final int OFFSET = 3;

  @ParameterizedTest
  @EnumSource(QuantType.class)
  void anyPartOfARowHasTheValuesOfTheDefinition(QuantType type) {
    int block = type.blockLength();
    int in = QuantisedMatrices.width(type, 4 * Math.max(block, 32));
    for (long seed = 1; seed < 20; seed++) {
      StoredMatrix matrix =
          QuantisedMatrices.random(type, OUT, in, new RowOrder(seed % 2 == 0 ? 0 : 4), seed);
      float[] whole = new float[OUT * in];
      for (int row = 0; row < OUT; row++) {
        RowDecoder.decodeRow(matrix, row, whole, row * in);
      }
      for (int from = 0; from < in; from += in / 4) {
        for (int count = in / 4; from + count <= in; count += in / 4) {
          int ld = count + OFFSET;
          float[] parts = new float[OFFSET + 3 * ld];
          DecodingLanes.decodeParts(matrix, 1, 3, from, count, parts, OFFSET, ld);
          float[] expected = new float[parts.length];
          for (int r = 0; r < 3; r++) {
            System.arraycopy(whole, (1 + r) * in + from, expected, OFFSET + r * ld, count);
          }
          assertThat(
                  IntStream.range(0, parts.length).filter(i -> parts[i] != expected[i]).toArray())
              .as("%s, seed %d, from %d, %d elements", type, seed, from, count)
              .isEmpty();
        }
      }
    }
  }
}
