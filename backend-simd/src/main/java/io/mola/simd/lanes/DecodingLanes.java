package io.mola.simd.lanes;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.SixBitScales;
import io.mola.core.quant.StoredMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Parts of rows of frozen matrices as floats, eight codes at a time in 256-bit registers, also
 * where vectors are wider. Types that are not here take the definition itself, at 128 bits all do.
 * Values are those of {@link RowDecoder}, but for the sign of a zero: {@code q · scale}, and a
 * minimum that stands for an offset of q, have at most 24 significant bits, so that a fused
 * multiply-add rounds where the definition does.
 */
public final class DecodingLanes {
  private static final VectorSpecies<Byte> B = ByteVector.SPECIES_64;
  private static final VectorSpecies<Short> S = ShortVector.SPECIES_128;
  private static final VectorSpecies<Integer> I = IntVector.SPECIES_256;
  private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ORDER);

  private DecodingLanes() {}

  /**
   * {@code to[at + r · ld .. + count)} = elements [from, from + count) of logical row {@code row +
   * r}, for {@code rows} rows; from and count are multiples of the block length. A value is
   * infinite or NaN if the file is damaged.
   */
  public static void decodeParts(
      StoredMatrix matrix, int row, int rows, int from, int count, float[] to, int at, int ld) {
    QuantType type = matrix.type();
    MemorySegment file = matrix.bytes();
    long skip = type.rowBytes(from);
    int blocks = count / type.blockLength();
    for (int r = 0; r < rows; r++) {
      long offset = matrix.rowOffset(row + r) + skip;
      int t = at + r * ld;
      switch (VectorWidth.BITS == 128 ? null : type) {
        case null -> RowDecoder.decodePart(matrix, row + r, from, count, to, t);
        case Q4_0 -> nibbles(file, offset, blocks, false, to, t);
        case Q4_1 -> nibbles(file, offset, blocks, true, to, t);
        case Q8_0 -> signedBytes(file, offset, blocks, to, t);
        case Q4_K -> superNibbles(file, offset, blocks, to, t);
        case Q6_K -> sixBits(file, offset, blocks, to, t);
        case BF16 -> upperHalves(file, offset, count, to, t);
        default -> RowDecoder.decodePart(matrix, row + r, from, count, to, t);
      }
    }
  }

  private static float half(MemorySegment from, long offset) {
    return Float.float16ToFloat(from.get(SHORT, offset));
  }

  /** Q4_0 and Q4_1: half d, if there is one half m, 16 bytes: q[i] low, q[i + 16] high. */
  private static void nibbles(
      MemorySegment from, long offset, int blocks, boolean minimum, float[] to, int at) {
    int header = minimum ? 4 : 2;
    for (int b = 0; b < blocks; b++) {
      long block = offset + (long) (header + 16) * b;
      float d = half(from, block);
      FloatVector scale = FloatVector.broadcast(F, d);
      FloatVector min = FloatVector.broadcast(F, minimum ? half(from, block + 2) : -8 * d);
      for (int i = 0; i < 16; i += 8) {
        IntVector v =
            (IntVector)
                ByteVector.fromMemorySegment(B, from, block + header + i, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        int t = at + 32 * b + i;
        ((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(scale, min).intoArray(to, t);
        ((FloatVector) v.lanewise(VectorOperators.LSHR, 4).convert(VectorOperators.I2F, 0))
            .fma(scale, min)
            .intoArray(to, t + 16);
      }
    }
  }

  /** BF16: the upper halves of floats. */
  private static void upperHalves(MemorySegment from, long offset, int count, float[] to, int at) {
    int i = 0;
    for (; i <= count - 8; i += 8) {
      ((IntVector)
              ShortVector.fromMemorySegment(S, from, offset + 2L * i, ORDER)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0))
          .lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoArray(to, at + i);
    }
    for (; i < count; i++) {
      to[at + i] = Float.intBitsToFloat(from.get(SHORT, offset + 2L * i) << 16);
    }
  }

  /** Q8_0: half d, 32 signed bytes. */
  private static void signedBytes(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 34L * b;
      FloatVector scale = FloatVector.broadcast(F, half(from, block));
      for (int i = 0; i < 32; i += 8) {
        ((FloatVector)
                ByteVector.fromMemorySegment(B, from, block + 2 + i, ORDER)
                    .convertShape(VectorOperators.B2F, F, 0))
            .mul(scale)
            .intoArray(to, at + 32 * b + i);
      }
    }
  }

  /** Q4_K: see its decoder; a run of 32 bytes holds sub-blocks 2 j low and 2 j + 1 high. */
  private static void superNibbles(
      MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 144L * b;
      float d = half(from, block);
      float m = -half(from, block + 2);
      for (int j = 0; j < 8; j += 2) {
        FloatVector s0 = FloatVector.broadcast(F, d * SixBitScales.scale(from, block + 4, j));
        FloatVector s1 = FloatVector.broadcast(F, d * SixBitScales.scale(from, block + 4, j + 1));
        FloatVector m0 = FloatVector.broadcast(F, m * SixBitScales.minimum(from, block + 4, j));
        FloatVector m1 = FloatVector.broadcast(F, m * SixBitScales.minimum(from, block + 4, j + 1));
        for (int i = 0; i < 32; i += 8) {
          IntVector v =
              (IntVector)
                  ByteVector.fromMemorySegment(B, from, block + 16 + 16L * j + i, ORDER)
                      .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
          int t = at + 256 * b + 32 * j + i;
          ((FloatVector) v.and(15).convert(VectorOperators.I2F, 0)).fma(s0, m0).intoArray(to, t);
          ((FloatVector) v.lanewise(VectorOperators.LSHR, 4).convert(VectorOperators.I2F, 0))
              .fma(s1, m1)
              .intoArray(to, t + 32);
        }
      }
    }
  }

  /** Q6_K: see its decoder; 32 bytes of two high bits each go with 64 bytes of four low bits. */
  private static void sixBits(MemorySegment from, long offset, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      long block = offset + 210L * b;
      float d = half(from, block + 208);
      for (int i = 0; i < 64; i += 8) {
        int upper = i / 32;
        int in = i % 32;
        long low = block + 64L * upper + in;
        IntVector a =
            (IntVector)
                ByteVector.fromMemorySegment(B, from, low, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        IntVector c =
            (IntVector)
                ByteVector.fromMemorySegment(B, from, low + 32, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        IntVector high =
            (IntVector)
                ByteVector.fromMemorySegment(B, from, block + 128 + i, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
        long scales = block + 192 + 8L * upper + in / 16;
        int t = at + 256 * b + 128 * upper + in;
        float s = d * from.get(ValueLayout.JAVA_BYTE, scales);
        IntVector q = a.and(15).or(high.lanewise(VectorOperators.LSHL, 4).and(48));
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .fma(FloatVector.broadcast(F, s), FloatVector.broadcast(F, -32 * s))
            .intoArray(to, t);
        s = d * from.get(ValueLayout.JAVA_BYTE, scales + 2);
        q = c.and(15).or(high.lanewise(VectorOperators.LSHL, 2).and(48));
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .fma(FloatVector.broadcast(F, s), FloatVector.broadcast(F, -32 * s))
            .intoArray(to, t + 32);
        s = d * from.get(ValueLayout.JAVA_BYTE, scales + 4);
        q = a.lanewise(VectorOperators.LSHR, 4).or(high.and(48));
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .fma(FloatVector.broadcast(F, s), FloatVector.broadcast(F, -32 * s))
            .intoArray(to, t + 64);
        s = d * from.get(ValueLayout.JAVA_BYTE, scales + 6);
        q = c.lanewise(VectorOperators.LSHR, 4).or(high.lanewise(VectorOperators.LSHR, 2).and(48));
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .fma(FloatVector.broadcast(F, s), FloatVector.broadcast(F, -32 * s))
            .intoArray(to, t + 96);
      }
    }
  }
}
