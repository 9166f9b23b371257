package io.mola.testdata.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.BlockCodes;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Decoders against blocks of every type and their recorded values: extremes, random bytes, real.
 */
class GoldenQuantsTest {
  private static final int IN = 256;

  @ParameterizedTest
  @EnumSource
  void everyDecoderGivesTheRecordedBits(QuantType type) throws IOException {
    StoredMatrix matrix = recordedBlocks(type);
    float[] expected = recordedValues(type);
    float[] row = new float[IN + 2];
    for (int r = 0; r < matrix.out(); r++) {
      RowDecoder.decodeRow(matrix, r, row, 1);
      for (int i = 0; i < IN; i++) {
        float value = row[1 + i];
        float recorded = expected[r * IN + i];
        if (Float.isNaN(recorded)) {
          assertThat(value).isNaN();
        } else {
          assertThat(Float.floatToRawIntBits(value))
              .as("%s value %d of row %d: %s, recorded %s", type, i, r, value, recorded)
              .isEqualTo(Float.floatToRawIntBits(recorded));
        }
      }
      assertThat(row[0]).isZero();
      assertThat(row[IN + 1]).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F32", "F16", "BF16"})
  void integerFormGivesTheRecordedValues(QuantType type) throws IOException {
    StoredMatrix matrix = recordedBlocks(type);
    float[] expected = recordedValues(type);
    int sub = BlockCodes.subBlock(type);
    byte[] q = new byte[IN];
    float[] scale = new float[IN / sub];
    float[] minimum = new float[IN / sub];
    for (int row = 0; row < matrix.out(); row++) {
      BlockCodes.codes(matrix, row, q, scale, minimum);
      for (int i = 0; i < IN; i++) {
        float value = q[i] * scale[i / sub] + minimum[i / sub];
        // == so that both zeros are equal
        assertThat(value == expected[row * IN + i])
            .as(
                "%s value %d of row %d: %s, recorded %s",
                type, i, row, value, expected[row * IN + i])
            .isTrue();
      }
      requireFiniteRow(matrix, row);
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F32", "F16", "BF16"})
  void scaleThatIsNotFiniteIsNamed(QuantType type) {
    byte[] damaged = new byte[(int) type.rowBytes(IN)];
    int scaleAt = type == QuantType.Q6_K ? 208 : 0;
    damaged[scaleAt + 1] = 0x7e; // half NaN
    StoredMatrix matrix =
        new StoredMatrix("gate", type, 1, IN, MemorySegment.ofArray(damaged), RowOrder.PLAIN);
    assertThatThrownBy(
            () -> BlockCodes.codes(matrix, 0, new byte[IN], new float[16], new float[16]))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("gate has a scale that is not finite in row 0");
    assertThatThrownBy(() -> requireFiniteRow(matrix, 0))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("gate has a value that is not finite in row 0");
  }

  @Test
  void rowsOfInterleavedMatricesAreFoundInHuggingFaceOrder() {
    float[] fileRows = {0, 1, 2, 3, 10, 11, 12, 13};
    StoredMatrix matrix =
        new StoredMatrix(
            "q", QuantType.F32, 8, 1, MemorySegment.ofArray(fileRows), new RowOrder(4));
    float[] logical = new float[8];
    for (int row = 0; row < 8; row++) {
      RowDecoder.decodeRow(matrix, row, logical, row);
    }
    assertThat(logical).containsExactly(0, 2, 1, 3, 10, 12, 11, 13);
  }

  private static void requireFiniteRow(StoredMatrix matrix, int row) {
    float[] values = new float[IN];
    RowDecoder.decodeRow(matrix, row, values, 0);
    RowDecoder.requireFinite(matrix, row, values, 0);
  }

  private static StoredMatrix recordedBlocks(QuantType type) throws IOException {
    byte[] bytes = Files.readAllBytes(quants().resolve(fileName(type) + ".blocks.bin"));
    int out = (int) (bytes.length / type.rowBytes(IN));
    int whole = (int) (out * type.rowBytes(IN));
    MemorySegment rows = MemorySegment.ofArray(bytes).asSlice(0, whole);
    return new StoredMatrix("golden", type, out, IN, rows, RowOrder.PLAIN);
  }

  private static float[] recordedValues(QuantType type) throws IOException {
    byte[] bytes = Files.readAllBytes(quants().resolve(fileName(type) + ".f32.bin"));
    float[] values = new float[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  private static String fileName(QuantType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  private static Path quants() {
    Path folder =
        Path.of(System.getProperty("mola.fixtures", "../shared/fixtures"), "golden/quants");
    if (!Files.isDirectory(folder)) {
      if ("true".equals(System.getenv("CI"))) {
        throw new AssertionError("fixtures are missing: " + folder);
      }
      Assumptions.abort("no fixtures at " + folder);
    }
    return folder;
  }
}
