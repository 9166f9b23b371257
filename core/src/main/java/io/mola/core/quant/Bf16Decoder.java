package io.mola.core.quant;

import java.lang.foreign.MemorySegment;

/** The upper half of a float32. */
final class Bf16Decoder implements BlockDecoder {
  static final Bf16Decoder INSTANCE = new Bf16Decoder();

  private Bf16Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int i = 0; i < blocks; i++) {
      to[at + i] = Float.intBitsToFloat(from.get(SHORT, offset + 2L * i) << 16);
    }
  }
}
