package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** half d, half m, 32 fifth bits, 16 bytes of low halves as in Q4_1; d q + m. */
final class Q5_1Decoder implements CodedBlockDecoder {
  static final Q5_1Decoder INSTANCE = new Q5_1Decoder();

  private Q5_1Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 24L * b;
      float d = BlockDecoder.half(from, block);
      float m = BlockDecoder.half(from, block + 2);
      int high = from.get(INT, block + 4);
      int base = at + 32 * b;
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 8 + i);
        to[base + i] = ((pair & 15) | Q5_0Decoder.fifthBit(high, i)) * d + m;
        to[base + i + 16] = (((pair >> 4) & 15) | Q5_0Decoder.fifthBit(high, i + 16)) * d + m;
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 24L * b;
      scale[b] = BlockDecoder.half(from, block);
      minimum[b] = BlockDecoder.half(from, block + 2);
      int high = from.get(INT, block + 4);
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 8 + i);
        q[32 * b + i] = (byte) ((pair & 15) | Q5_0Decoder.fifthBit(high, i));
        q[32 * b + i + 16] = (byte) (((pair >> 4) & 15) | Q5_0Decoder.fifthBit(high, i + 16));
      }
    }
  }
}
