package io.mola.simd.lanes;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width that all kernels of a process use: what the processor prefers, at least 128 and
 * at most 512 bits, or {@code -Dmola.vectorBits=128|256|512}.
 *
 * <p>A width above the processor's works and is slow. Constants, because the compiler only turns
 * vectors into registers where the species is a constant.
 */
public final class VectorWidth {
  /** System property that overrides the width. */
  public static final String PROPERTY = "mola.vectorBits";

  /** Width in bits: 128, 256 or 512. */
  public static final int BITS = bits();

  private static final VectorShape SHAPE = VectorShape.forBitSize(BITS);

  /** Full-width floats. */
  public static final VectorSpecies<Float> FLOAT = VectorSpecies.of(float.class, SHAPE);

  /** Full-width ints. */
  public static final VectorSpecies<Integer> INT = VectorSpecies.of(int.class, SHAPE);

  /** Full-width longs. */
  public static final VectorSpecies<Long> LONG = VectorSpecies.of(long.class, SHAPE);

  /** Full-width doubles. */
  public static final VectorSpecies<Double> DOUBLE = VectorSpecies.of(double.class, SHAPE);

  /** Shorts that widen to one vector of ints. */
  public static final VectorSpecies<Short> SHORT =
      BITS == 128
          ? ShortVector.SPECIES_64
          : BITS == 256 ? ShortVector.SPECIES_128 : ShortVector.SPECIES_256;

  /**
   * Bytes that widen to one vector of ints. At 128 bits four bytes would do, but the smallest
   * vector has eight: a load then reads four bytes more than it uses ({@link #BYTE_SLACK}).
   */
  public static final VectorSpecies<Byte> BYTE =
      BITS == 512 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

  /** Bytes that a load of {@link #BYTE} may read beyond the lanes it uses. */
  public static final int BYTE_SLACK = 4;

  /** Floats in a vector: 4, 8 or 16. */
  public static final int LANES = FLOAT.length();

  private VectorWidth() {}

  private static int bits() {
    int preferred = Math.clamp(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 128, 512);
    int bits = Integer.getInteger(PROPERTY, preferred);
    if (bits != 128 && bits != 256 && bits != 512) {
      throw new IllegalArgumentException(
          "-D" + PROPERTY + "=" + bits + ": a vector width is 128, 256 or 512");
    }
    return bits;
  }
}
