package io.mola.core.quant;

import java.lang.foreign.MemorySegment;

/**
 * A frozen [out, in] matrix in its file encoding, in place in the mapping. Vectors are [1, in].
 *
 * @param name canonical (Hugging Face) name, for messages
 * @param type encoding
 * @param out rows: output features
 * @param in columns: input features; a multiple of the block length
 * @param bytes exactly {@code out * rowBytes(in)} bytes, read-only
 * @param order where logical rows lie
 */
public record StoredMatrix(
    String name, QuantType type, int out, int in, MemorySegment bytes, RowOrder order) {
  /** Checks that the bytes have the size that the shape needs. */
  public StoredMatrix {
    long expected = Math.multiplyExact(type.rowBytes(in), (long) out);
    if (bytes.byteSize() != expected) {
      throw new IllegalArgumentException(
          name + ": " + bytes.byteSize() + " bytes, expected " + expected);
    }
  }

  /** Byte offset of the logical row. */
  public long rowOffset(int row) {
    return order.fileRow(row) * type.rowBytes(in);
  }
}
