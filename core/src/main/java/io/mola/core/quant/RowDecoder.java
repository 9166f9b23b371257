package io.mola.core.quant;

import io.mola.core.failure.MalformedFileException;

/** Rows of a stored matrix as floats: the definition that all faster decoders are held to. */
public final class RowDecoder {
  private RowDecoder() {}

  /**
   * {@code to[offset .. offset + in)} = logical row {@code row}. Values may be infinite or NaN if
   * the file is damaged; whoever keeps or uses them calls {@link #requireFinite} on them.
   */
  public static void decodeRow(StoredMatrix matrix, int row, float[] to, int offset) {
    QuantType type = matrix.type();
    int blocks = matrix.in() / type.blockLength();
    BlockDecoder.of(type).decode(matrix.bytes(), matrix.rowOffset(row), blocks, to, offset);
  }

  /**
   * {@code to[offset .. offset + count)} = elements [from, from + count) of logical row {@code
   * row}; both multiples of the block length.
   */
  public static void decodePart(
      StoredMatrix matrix, int row, int from, int count, float[] to, int offset) {
    QuantType type = matrix.type();
    long start = matrix.rowOffset(row) + type.rowBytes(from);
    int blocks = count / type.blockLength();
    BlockDecoder.of(type).decode(matrix.bytes(), start, blocks, to, offset);
  }

  /**
   * Checks decoded values of a row. Weights are mapped and not read when a model is opened, so a
   * damaged value shows only here; the check is one multiplication and one addition per value.
   *
   * @param values holds the row from {@code offset} on
   * @throws MalformedFileException if a value is infinite or NaN
   */
  public static void requireFinite(StoredMatrix matrix, int row, float[] values, int offset) {
    // 0 * x is NaN exactly where x is not finite, and NaN stays
    float sum = 0;
    for (int i = 0; i < matrix.in(); i++) {
      sum += 0 * values[offset + i];
    }
    if (sum != 0) {
      throw notFinite(matrix, row, "value");
    }
  }

  static MalformedFileException notFinite(StoredMatrix matrix, int row, String what) {
    return new MalformedFileException(
        matrix.name()
            + " has a "
            + what
            + " that is not finite in row "
            + row
            + "; the file is damaged, fetch it again");
  }
}
