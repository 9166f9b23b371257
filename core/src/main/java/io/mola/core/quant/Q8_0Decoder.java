package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** half d, 32 signed bytes; d q. */
final class Q8_0Decoder implements CodedBlockDecoder {
  static final Q8_0Decoder INSTANCE = new Q8_0Decoder();

  private Q8_0Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 34L * b;
      float d = BlockDecoder.half(from, block);
      int base = at + 32 * b;
      for (int i = 0; i < 32; i++) {
        to[base + i] = from.get(ValueLayout.JAVA_BYTE, block + 2 + i) * d;
      }
    }
  }

  @Override
  public void codes(
      MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 34L * b;
      scale[b] = BlockDecoder.half(from, block);
      minimum[b] = 0;
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, block + 2, q, 32 * b, 32);
    }
  }
}
