package io.mola.simd.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VectorWidthTest {
  @Test
  void thePropertyDecidesAndElseTheProcessor() {
    int asked = Integer.getInteger(VectorWidth.PROPERTY, VectorWidth.BITS);
    assertThat(VectorWidth.BITS).isEqualTo(asked).isIn(128, 256, 512);
  }

  @Test
  void allSpeciesWidenToOneVectorOfFloats() {
    assertThat(VectorWidth.FLOAT.vectorBitSize()).isEqualTo(VectorWidth.BITS);
    assertThat(VectorWidth.INT.length()).isEqualTo(VectorWidth.LANES);
    assertThat(VectorWidth.SHORT.length()).isEqualTo(VectorWidth.LANES);
    assertThat(VectorWidth.BYTE.length())
        .isBetween(VectorWidth.LANES, VectorWidth.LANES + VectorWidth.BYTE_SLACK);
    assertThat(VectorWidth.LONG.length()).isEqualTo(VectorWidth.LANES / 2);
    assertThat(VectorWidth.DOUBLE.length()).isEqualTo(VectorWidth.LANES / 2);
  }
}
