package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** half d, 32 fifth bits, 16 bytes of low halves as in Q4_0; d (q - 16). */
final class Q5_0Decoder implements CodedBlockDecoder {
  static final Q5_0Decoder INSTANCE = new Q5_0Decoder();

  private Q5_0Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 22L * b;
      float d = BlockDecoder.half(from, block);
      int high = from.get(INT, block + 2);
      int base = at + 32 * b;
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 6 + i);
        to[base + i] = (((pair & 15) | fifthBit(high, i)) - 16) * d;
        to[base + i + 16] = ((((pair >> 4) & 15) | fifthBit(high, i + 16)) - 16) * d;
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 22L * b;
      scale[b] = BlockDecoder.half(from, block);
      minimum[b] = -16 * scale[b];
      int high = from.get(INT, block + 2);
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 6 + i);
        q[32 * b + i] = (byte) ((pair & 15) | fifthBit(high, i));
        q[32 * b + i + 16] = (byte) (((pair >> 4) & 15) | fifthBit(high, i + 16));
      }
    }
  }

  /** 16 if bit i is set, else 0. */
  static int fifthBit(int bits, int i) {
    return ((bits >>> i) & 1) << 4;
  }
}
