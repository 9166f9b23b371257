package io.mola.core.quant;

import java.lang.foreign.MemorySegment;

/** IEEE half. */
final class F16Decoder implements BlockDecoder {
  static final F16Decoder INSTANCE = new F16Decoder();

  private F16Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int i = 0; i < blocks; i++) {
      to[at + i] = BlockDecoder.half(from, offset + 2L * i);
    }
  }
}
