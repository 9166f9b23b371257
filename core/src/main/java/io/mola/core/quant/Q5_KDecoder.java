package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * 256 values: half d, half m, 12 bytes of packed scales and minima as in Q4_K, 32 bytes of fifth
 * bits (bit j of byte i belongs to value i of sub-block j), 128 bytes of low halves as in Q4_K;
 * {@code (d s) q - m u}.
 */
final class Q5_KDecoder implements CodedBlockDecoder {
  static final Q5_KDecoder INSTANCE = new Q5_KDecoder();

  private Q5_KDecoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 176L * b;
      float d = BlockDecoder.half(from, block);
      float m = BlockDecoder.half(from, block + 2);
      for (int j = 0; j < 8; j++) {
        float scale = d * SixBitScales.scale(from, block + 4, j);
        float minimum = m * SixBitScales.minimum(from, block + 4, j);
        int base = at + 256 * b + 32 * j;
        for (int i = 0; i < 32; i++) {
          to[base + i] = scale * quant(from, block, j, i) - minimum;
        }
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 176L * b;
      float d = BlockDecoder.half(from, block);
      float m = BlockDecoder.half(from, block + 2);
      for (int j = 0; j < 8; j++) {
        scale[8 * b + j] = d * SixBitScales.scale(from, block + 4, j);
        minimum[8 * b + j] = -(m * SixBitScales.minimum(from, block + 4, j));
        for (int i = 0; i < 32; i++) {
          q[256 * b + 32 * j + i] = (byte) quant(from, block, j, i);
        }
      }
    }
  }

  private static int quant(MemorySegment from, long block, int j, int i) {
    int low =
        (from.get(ValueLayout.JAVA_BYTE, block + 48 + 32L * (j / 2) + i) >> (4 * (j % 2))) & 15;
    return low | ((from.get(ValueLayout.JAVA_BYTE, block + 16 + i) >> j) & 1) << 4;
  }
}
