package io.mola.core.quant;

import java.lang.foreign.MemorySegment;

/** float32: the bytes as they are. */
final class F32Decoder implements BlockDecoder {
  static final F32Decoder INSTANCE = new F32Decoder();

  private F32Decoder() {}

  @Override
  public void decode(MemorySegment from, long offset, int blocks, float[] to, int at) {
    MemorySegment.copy(from, FLOAT, offset, to, at, blocks);
  }
}
