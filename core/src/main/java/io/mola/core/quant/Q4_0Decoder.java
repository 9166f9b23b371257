package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** half d, 16 bytes: byte i holds q[i] in its low and q[i + 16] in its high half; d (q - 8). */
final class Q4_0Decoder implements CodedBlockDecoder {
  static final Q4_0Decoder INSTANCE = new Q4_0Decoder();

  private Q4_0Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 18L * b;
      float d = BlockDecoder.half(from, block);
      int base = at + 32 * b;
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 2 + i);
        to[base + i] = ((pair & 15) - 8) * d;
        to[base + i + 16] = (((pair >> 4) & 15) - 8) * d;
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 18L * b;
      scale[b] = BlockDecoder.half(from, block);
      minimum[b] = -8 * scale[b];
      for (int i = 0; i < 16; i++) {
        int pair = from.get(ValueLayout.JAVA_BYTE, block + 2 + i);
        q[32 * b + i] = (byte) (pair & 15);
        q[32 * b + i + 16] = (byte) ((pair >> 4) & 15);
      }
    }
  }
}
