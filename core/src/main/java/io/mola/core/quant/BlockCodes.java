package io.mola.core.quant;

/**
 * The common integer form of the quantised types: each run of {@link #subBlock} elements has one
 * scale and one minimum, and
 *
 * <pre>value = q * scale + minimum</pre>
 *
 * <p>which in float32 is the value of {@link RowDecoder} exactly (but for the sign of a zero): the
 * products have at most 24 significant bits, so only the addition rounds, as it does there.
 *
 * <table>
 * <caption>What q, scale and minimum are</caption>
 * <tr><th>type</th><th>q</th><th>scale</th><th>minimum</th><th>sub-block</th></tr>
 * <tr><td>Q4_0</td><td>0..15</td><td>d</td><td>-8 d</td><td>32</td></tr>
 * <tr><td>Q4_1</td><td>0..15</td><td>d</td><td>m</td><td>32</td></tr>
 * <tr><td>Q5_0</td><td>0..31</td><td>d</td><td>-16 d</td><td>32</td></tr>
 * <tr><td>Q5_1</td><td>0..31</td><td>d</td><td>m</td><td>32</td></tr>
 * <tr><td>Q8_0</td><td>-128..127</td><td>d</td><td>0</td><td>32</td></tr>
 * <tr><td>Q4_K</td><td>0..15</td><td>d s</td><td>-(m u)</td><td>32</td></tr>
 * <tr><td>Q5_K</td><td>0..31</td><td>d s</td><td>-(m u)</td><td>32</td></tr>
 * <tr><td>Q6_K</td><td>0..63</td><td>d s</td><td>-32 d s</td><td>16</td></tr>
 * </table>
 *
 * <p>All q fit a signed byte, so {@code (float) q[i]} is right for every type.
 */
public final class BlockCodes {
  private BlockCodes() {}

  /**
   * Elements that share a scale and a minimum: 32, for Q6_K 16.
   *
   * @throws IllegalArgumentException for F32, F16 and BF16
   */
  public static int subBlock(QuantType type) {
    if (!type.isQuantised()) {
      throw new IllegalArgumentException(type + " has no integer form");
    }
    return type == QuantType.Q6_K ? 16 : 32;
  }

  /**
   * The integers of logical row {@code row}.
   *
   * @param q [in] quants, written from index 0
   * @param scale [in / subBlock], written from index 0
   * @param minimum [in / subBlock], written from index 0
   * @throws io.mola.core.failure.MalformedFileException if a scale or minimum is not finite
   * @throws IllegalArgumentException for F32, F16 and BF16
   */
  public static void codes(StoredMatrix matrix, int row, byte[] q, float[] scale, float[] minimum) {
    QuantType type = matrix.type();
    int blocks = matrix.in() / type.blockLength();
    CodedBlockDecoder.of(type)
        .codes(matrix.bytes(), matrix.rowOffset(row), blocks, q, scale, minimum);
    float sum = 0;
    for (int i = 0; i < matrix.in() / subBlock(type); i++) {
      sum += 0 * scale[i] + 0 * minimum[i];
    }
    if (sum != 0) {
      throw RowDecoder.notFinite(matrix, row, "scale");
    }
  }
}
