package io.mola.simd.tiles;

import io.mola.core.quant.StoredMatrix;
import io.mola.simd.lanes.Transposition;
import java.util.Arrays;

/** In the forward direction: a row of the file is a column of a panel. */
final class StreamedRows extends StreamedPanels {
  StreamedRows(StoredMatrix matrix) {
    super(matrix, matrix.in(), matrix.out(), together(matrix.out()));
  }

  @Override
  void decode(int first, int end, int k0, int kc, WorkerScratch scratch, float[] to) {
    int block = matrix.type().blockLength();
    int from = k0 / block * block;
    int length = PackedActivations.ceiling(k0 + kc, block) * block - from;
    float[] decoded = scratch.panel(COLUMNS * length);
    for (int panel = first; panel < end; panel++) {
      int rows = Math.min(COLUMNS, n() - panel * COLUMNS);
      decodeParts(panel * COLUMNS, rows, from, length, decoded, 0, length);
      int at = (panel - first) * kc * COLUMNS;
      if (rows < COLUMNS) {
        Arrays.fill(to, at, at + kc * COLUMNS, 0f);
      }
      Transposition.run(decoded, k0 - from, length, rows, kc, 1f, to, at, COLUMNS);
    }
  }
}
