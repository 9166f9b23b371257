package io.mola.simd.tiles;

import io.mola.core.quant.StoredMatrix;
import java.util.Arrays;

/** In the backward direction: a row of the file holds a row of each panel. */
final class StreamedColumns extends StreamedPanels {
  /** Rows that are decoded at once, so that they are copied from the innermost cache. */
  private static final int ROWS = 16;

  StreamedColumns(StoredMatrix matrix) {
    super(
        matrix,
        matrix.out(),
        matrix.in(),
        Math.max(together(matrix.in()), matrix.type().blockLength() / COLUMNS));
  }

  @Override
  void decode(int first, int end, int k0, int kc, WorkerScratch scratch, float[] to) {
    int from = first * COLUMNS;
    int width = Math.min(n(), end * COLUMNS) - from;
    int padded = (end - first) * COLUMNS;
    float[] parts = scratch.panel(ROWS * padded);
    Arrays.fill(parts, 0, ROWS * padded, 0f);
    for (int i = 0; i < kc; i += ROWS) {
      int rows = Math.min(ROWS, kc - i);
      decodeParts(k0 + i, rows, from, width, parts, 0, padded);
      for (int j = 0; j < end - first; j++) {
        Strips.copy(parts, j * COLUMNS, padded, rows, COLUMNS, to, (j * kc + i) * COLUMNS);
      }
    }
  }
}
