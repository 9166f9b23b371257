package io.mola.testdata;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * Valid random matrices of every {@link QuantType}: all codes occur, scales and minima are drawn so
 * that a row product with unit inputs is of size one, about one block in nine has scale 0.
 */
public final class QuantisedMatrices {
  private QuantisedMatrices() {}

  /**
   * A random [out, in] matrix. Files promise no alignment, so with an odd seed the bytes start at
   * an odd address.
   *
   * @param in a multiple of the type's block length
   */
  public static StoredMatrix random(QuantType type, int out, int in, RowOrder order, long seed) {
    Random random = new Random(seed);
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(out * type.rowBytes(in)));
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    double deviation = 1 / Math.sqrt(in);
    while (bytes.hasRemaining()) {
      double scale = random.nextInt(9) == 0 ? 0 : (0.5 + random.nextDouble()) * deviation;
      block(type, scale, deviation, random, bytes);
    }
    return stored(type, out, in, order, bytes.array(), (int) (seed & 1));
  }

  /** The float32 matrix of these values, in logical order. */
  public static StoredMatrix f32(HostTensor values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.values().length);
    bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values.values());
    return stored(QuantType.F32, values.rows(), values.cols(), RowOrder.PLAIN, bytes.array(), 0);
  }

  /** The first input width that is at least {@code in} and a multiple of the type's block. */
  public static int width(QuantType type, int in) {
    return Math.ceilDiv(in, type.blockLength()) * type.blockLength();
  }

  private static StoredMatrix stored(
      QuantType type, int out, int in, RowOrder order, byte[] bytes, int misalignment) {
    MemorySegment segment =
        Arena.ofAuto().allocate(bytes.length + misalignment, 64).asSlice(misalignment);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, segment, 0, bytes.length);
    String name = "random." + type + "." + out + "x" + in;
    return new StoredMatrix(name, type, out, in, segment.asReadOnly(), order);
  }

  /** One block whose values have about the deviation {@code scale}. */
  private static void block(
      QuantType type, double scale, double deviation, Random random, ByteBuffer to) {
    switch (type) {
      case F32 -> to.putFloat((float) (random.nextGaussian() * deviation));
      case F16 -> to.putShort(half(random.nextGaussian() * deviation));
      case BF16 -> to.putShort(upperHalf(random.nextGaussian() * deviation));
      case Q4_0 -> scaled(random.nextBoolean() ? scale / 4.6 : -scale / 4.6, 16, random, to);
      case Q4_1 -> scaledWithMinimum(scale / 4.6, 7.5, 16, random, to);
      case Q5_0 -> scaled(random.nextBoolean() ? scale / 9.2 : -scale / 9.2, 20, random, to);
      case Q5_1 -> scaledWithMinimum(scale / 9.2, 15.5, 20, random, to);
      case Q8_0 -> scaled(scale / 74, 32, random, to);
      case Q4_K -> superBlock(scale / 4.6, 7.5, 140, random, to);
      case Q5_K -> superBlock(scale / 9.2, 15.5, 172, random, to);
      case Q6_K -> {
        codes(208, random, to);
        to.putShort(half(scale / (18.5 * 74)));
      }
    }
  }

  /** Half d, then codes. */
  private static void scaled(double d, int codeBytes, Random random, ByteBuffer to) {
    to.putShort(half(d));
    codes(codeBytes, random, to);
  }

  /** Half d, half m with d q + m centred about 0, then codes. */
  private static void scaledWithMinimum(
      double d, double middle, int codeBytes, Random random, ByteBuffer to) {
    to.putShort(half(d));
    to.putShort(half(-d * middle * (0.8 + 0.4 * random.nextDouble())));
    codes(codeBytes, random, to);
  }

  /** Half d, half dmin for 6-bit scales and minima (about 36 each), then scales and codes. */
  private static void superBlock(
      double d, double middle, int codeBytes, Random random, ByteBuffer to) {
    to.putShort(half(d / 36));
    to.putShort(half(d * middle / 36));
    codes(codeBytes, random, to);
  }

  private static void codes(int bytes, Random random, ByteBuffer to) {
    byte[] codes = new byte[bytes];
    random.nextBytes(codes);
    to.put(codes);
  }

  private static short half(double value) {
    return Float.floatToFloat16((float) value);
  }

  private static short upperHalf(double value) {
    return (short) (Float.floatToRawIntBits((float) value) >>> 16);
  }
}
