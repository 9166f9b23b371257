package io.mola.gguf;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowEncoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.RowChange;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The data of tensors while a model is copied: changed row by row, or as it is. */
record ChangedRows(QuantType type, RowChange change) {
  private static final int CHUNK = 1 << 16;

  ChangedRows {
    RowEncoder.elementBytes(type);
  }

  /** Size of the changed matrix. */
  long bytes(StoredMatrix matrix) {
    return matrix.out() * type.rowBytes(matrix.in());
  }

  /** Writes the changed rows in the order of the file. */
  void write(String canonicalName, StoredMatrix matrix, OutputStream out) throws IOException {
    float[] values = new float[matrix.in()];
    byte[] encoded = new byte[Math.toIntExact(type.rowBytes(matrix.in()))];
    for (int fileRow = 0; fileRow < matrix.out(); fileRow++) {
      int row = matrix.order().logicalRow(fileRow);
      RowDecoder.decodeRow(matrix, row, values, 0);
      RowDecoder.requireFinite(matrix, row, values, 0);
      change.apply(canonicalName, row, values);
      RowEncoder.encode(matrix.name(), type, values, encoded);
      out.write(encoded);
    }
  }

  /** Copies bytes of a mapping. */
  static void copy(MemorySegment from, OutputStream out) throws IOException {
    byte[] chunk = new byte[(int) Math.min(CHUNK, from.byteSize())];
    for (long at = 0; at < from.byteSize(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, from.byteSize() - at);
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, chunk, 0, count);
      out.write(chunk, 0, count);
    }
  }
}
