package io.mola.core.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The 12 bytes of Q4_K and Q5_K that pack eight scales and eight minima of six bits. */
public final class SixBitScales {
  private SixBitScales() {}

  /** 6-bit scale of sub-block j: bytes 0..3 for j below 4, else four bits of 8..11, two of 0..3. */
  public static int scale(MemorySegment from, long packed, int j) {
    int first = from.get(ValueLayout.JAVA_BYTE, packed + j % 4);
    if (j < 4) {
      return first & 63;
    }
    return (from.get(ValueLayout.JAVA_BYTE, packed + j + 4) & 15) | ((first >> 6) & 3) << 4;
  }

  /**
   * 6-bit minimum of sub-block j: bytes 4..7 for j below 4, else four bits of 8..11, two of 4..7.
   */
  public static int minimum(MemorySegment from, long packed, int j) {
    int second = from.get(ValueLayout.JAVA_BYTE, packed + 4 + j % 4);
    if (j < 4) {
      return second & 63;
    }
    return ((from.get(ValueLayout.JAVA_BYTE, packed + j + 4) >> 4) & 15) | ((second >> 6) & 3) << 4;
  }
}
