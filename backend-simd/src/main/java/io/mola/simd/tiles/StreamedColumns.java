package io.mola.simd.tiles;

import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;

/**
 * A frozen matrix in the backward direction, decoded from its file at each use: some whole rows at
 * once, of which each panel takes its columns.
 */
final class StreamedColumns extends Panels {
  private final StoredMatrix matrix;

  /** Whether the values of a row are known to be finite; workers may find it out at once. */
  private final boolean[] finite;

  StreamedColumns(StoredMatrix matrix) {
    super(matrix.out(), matrix.in());
    this.matrix = matrix;
    this.finite = new boolean[matrix.out()];
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    long key = (long) k0 << 32 | kc;
    float[] decoded = scratch.keptRows(this, key);
    if (decoded == null) {
      decoded = scratch.rows(kc * n());
      for (int i = 0; i < kc; i++) {
        RowDecoder.decodeRow(matrix, k0 + i, decoded, i * n());
        if (!finite[k0 + i]) {
          RowDecoder.requireFinite(matrix, k0 + i, decoded, i * n());
          finite[k0 + i] = true;
        }
      }
      scratch.keepRows(this, key);
    }
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int columns = Math.min(COLUMNS, n() - panel * COLUMNS);
    Strips.copy(decoded, panel * COLUMNS, n(), kc, columns, to, at);
    return at;
  }

  @Override
  Reading reading() {
    return Reading.BLOCK_BY_BLOCK;
  }
}
