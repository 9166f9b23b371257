package io.mola.core.quant;

import java.lang.foreign.MemorySegment;

/**
 * A decoder of a quantised type, which also gives the integers of its blocks ({@link BlockCodes}).
 */
interface CodedBlockDecoder extends BlockDecoder {
  /**
   * The integers of {@code blocks} blocks that start at byte {@code offset}: quants from {@code
   * q[0]}, scale and minimum of each sub-block from index 0.
   */
  void codes(MemorySegment from, long offset, int blocks, byte[] q, float[] scale, float[] minimum);

  /** The decoder of that quantised type. */
  static CodedBlockDecoder of(QuantType type) {
    return switch (type) {
      case Q4_0 -> Q4_0Decoder.INSTANCE;
      case Q4_1 -> Q4_1Decoder.INSTANCE;
      case Q5_0 -> Q5_0Decoder.INSTANCE;
      case Q5_1 -> Q5_1Decoder.INSTANCE;
      case Q8_0 -> Q8_0Decoder.INSTANCE;
      case Q4_K -> Q4_KDecoder.INSTANCE;
      case Q5_K -> Q5_KDecoder.INSTANCE;
      case Q6_K -> Q6_KDecoder.INSTANCE;
      case F32, F16, BF16 -> throw new IllegalArgumentException(type + " has no integer form");
    };
  }
}
