package io.mola.simd.attention;

/**
 * Rows of floats.
 *
 * @param data the array
 * @param offset where row 0 starts
 * @param ld distance of two rows
 */
public record Rows(float[] data, int offset, int ld) {
  /** Where a row starts. */
  int at(int row) {
    return offset + row * ld;
  }
}
