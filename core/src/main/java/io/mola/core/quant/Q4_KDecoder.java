package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * 256 values: half d, half m, 12 bytes of packed 6-bit scales and minima of 8 sub-blocks, 128 bytes
 * of quants. Each run of 32 bytes holds sub-block 2j in its low and 2j + 1 in its high halves;
 * {@code (d s) q - m u}.
 */
final class Q4_KDecoder implements CodedBlockDecoder {
  static final Q4_KDecoder INSTANCE = new Q4_KDecoder();

  private Q4_KDecoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 144L * b;
      float d = BlockDecoder.half(from, block);
      float m = BlockDecoder.half(from, block + 2);
      for (int j = 0; j < 8; j++) {
        float scale = d * SixBitScales.scale(from, block + 4, j);
        float minimum = m * SixBitScales.minimum(from, block + 4, j);
        long quants = block + 16 + 32L * (j / 2);
        int shift = 4 * (j % 2);
        int base = at + 256 * b + 32 * j;
        for (int i = 0; i < 32; i++) {
          int q = (from.get(ValueLayout.JAVA_BYTE, quants + i) >> shift) & 15;
          to[base + i] = scale * q - minimum;
        }
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 144L * b;
      float d = BlockDecoder.half(from, block);
      float m = BlockDecoder.half(from, block + 2);
      for (int j = 0; j < 8; j++) {
        scale[8 * b + j] = d * SixBitScales.scale(from, block + 4, j);
        minimum[8 * b + j] = -(m * SixBitScales.minimum(from, block + 4, j));
        long quants = block + 16 + 32L * (j / 2);
        int shift = 4 * (j % 2);
        for (int i = 0; i < 32; i++) {
          q[256 * b + 32 * j + i] =
              (byte) ((from.get(ValueLayout.JAVA_BYTE, quants + i) >> shift) & 15);
        }
      }
    }
  }
}
