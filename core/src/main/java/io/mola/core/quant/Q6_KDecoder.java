package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * 256 values: 128 bytes of low halves, 64 bytes of two high bits, 16 signed scales, half d; {@code
 * (d s) (q - 32)}. Each half of 128 values has four runs of 32: runs 0 and 1 in the low, 2 and 3 in
 * the high halves of its 64 low bytes; run r takes bits 2r, 2r + 1 of its 32 high bytes.
 */
final class Q6_KDecoder implements CodedBlockDecoder {
  static final Q6_KDecoder INSTANCE = new Q6_KDecoder();

  private Q6_KDecoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 210L * b;
      float d = BlockDecoder.half(from, block + 208);
      for (int j = 0; j < 16; j++) {
        float scale = d * from.get(ValueLayout.JAVA_BYTE, block + 192 + j);
        int base = at + 256 * b + 16 * j;
        for (int i = 0; i < 16; i++) {
          to[base + i] = scale * (quant(from, block, 16 * j + i) - 32);
        }
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 210L * b;
      float d = BlockDecoder.half(from, block + 208);
      for (int j = 0; j < 16; j++) {
        scale[16 * b + j] = d * from.get(ValueLayout.JAVA_BYTE, block + 192 + j);
        minimum[16 * b + j] = -32 * scale[16 * b + j];
        for (int i = 0; i < 16; i++) {
          q[256 * b + 16 * j + i] = (byte) quant(from, block, 16 * j + i);
        }
      }
    }
  }

  private static int quant(MemorySegment from, long block, int index) {
    int half = index / 128;
    int run = index / 32 % 4;
    int i = index % 32;
    long low = block + 64L * half + 32L * (run % 2) + i;
    long high = block + 128 + 32L * half + i;
    return ((from.get(ValueLayout.JAVA_BYTE, low) >> (4 * (run / 2))) & 15)
        | ((from.get(ValueLayout.JAVA_BYTE, high) >> (2 * run)) & 3) << 4;
  }
}
