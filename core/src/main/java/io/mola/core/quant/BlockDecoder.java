package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The definition of one element encoding: file bytes to float32, in the order of operations of
 * ggml, so that results are equal bit by bit. Stateless; segments need no alignment.
 */
public interface BlockDecoder {
  /** Little-endian half, bfloat16 or short at any address. */
  ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Little-endian int at any address. */
  ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Little-endian float at any address. */
  ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** {@code to[at ..]} = the values of {@code blocks} blocks that start at byte {@code offset}. */
  void decode(MemorySegment from, long offset, int blocks, float[] to, int at);

  /** The decoder of that type. */
  static BlockDecoder of(QuantType type) {
    return switch (type) {
      case F32 -> F32Decoder.INSTANCE;
      case F16 -> F16Decoder.INSTANCE;
      case BF16 -> Bf16Decoder.INSTANCE;
      case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K -> CodedBlockDecoder.of(type);
    };
  }

  /** The half at that offset as a float. */
  static float half(MemorySegment from, long offset) {
    return Float.float16ToFloat(from.get(SHORT, offset));
  }
}
