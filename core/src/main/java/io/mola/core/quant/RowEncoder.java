package io.mola.core.quant;

import io.mola.core.failure.UsageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Floats as file bytes of the plain types, rounded to nearest, ties to even. */
public final class RowEncoder {
  private RowEncoder() {}

  /** Bytes per element of F32, F16 or BF16. */
  public static int elementBytes(QuantType type) {
    if (type.isQuantised()) {
      throw new UsageException(
          type + " cannot be written; changed weights are stored as F32, F16 or BF16");
    }
    return type.blockBytes();
  }

  /**
   * {@code to[0 .. values.length * elementBytes)} = the values, little-endian.
   *
   * @param name of the matrix, for messages
   * @throws UsageException if a value is not finite in the type: it is beyond the range of halves,
   *     or was not finite before
   */
  public static void encode(String name, QuantType type, float[] values, byte[] to) {
    elementBytes(type);
    ByteBuffer buffer = ByteBuffer.wrap(to).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      float stored =
          switch (type) {
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
            case BF16 -> Float.intBitsToFloat(bf16(value) << 16);
            default -> value;
          };
      if (!Float.isFinite(stored)) {
        throw new UsageException(
            "%s: the value %s cannot be stored as %s; choose BF16 or F32"
                .formatted(name, value, type));
      }
      switch (type) {
        case F16 -> buffer.putShort(Float.floatToFloat16(value));
        case BF16 -> buffer.putShort((short) bf16(value));
        default -> buffer.putFloat(value);
      }
    }
  }

  /** The upper half of the float, rounded; a finite value may round to infinity, NaN stays NaN. */
  private static int bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return bits >>> 16 | 0x40;
    }
    return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
}
