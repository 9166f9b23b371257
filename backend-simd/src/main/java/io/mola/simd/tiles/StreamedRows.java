package io.mola.simd.tiles;

import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.simd.lanes.Transposition;
import java.util.Arrays;

/**
 * A frozen matrix in the forward direction, decoded from its file at each use: the rows of a panel
 * at once, then turned block by block.
 */
final class StreamedRows extends Panels {
  private final StoredMatrix matrix;

  /** Whether the values of a row are known to be finite; workers may find it out at once. */
  private final boolean[] finite;

  StreamedRows(StoredMatrix matrix) {
    super(matrix.in(), matrix.out());
    this.matrix = matrix;
    this.finite = new boolean[matrix.out()];
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    int rows = Math.min(COLUMNS, n() - panel * COLUMNS);
    float[] decoded = scratch.keptRows(this, panel);
    if (decoded == null) {
      decoded = scratch.rows(COLUMNS * k());
      for (int j = 0; j < rows; j++) {
        RowDecoder.decodeRow(matrix, panel * COLUMNS + j, decoded, j * k());
        if (!finite[panel * COLUMNS + j]) {
          RowDecoder.requireFinite(matrix, panel * COLUMNS + j, decoded, j * k());
          finite[panel * COLUMNS + j] = true;
        }
      }
      scratch.keepRows(this, panel);
    }
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    Transposition.run(decoded, k0, k(), rows, kc, 1f, to, at, COLUMNS);
    if (rows < COLUMNS) {
      for (int i = 0; i < kc; i++) {
        Arrays.fill(to, at + i * COLUMNS + rows, at + (i + 1) * COLUMNS, 0f);
      }
    }
    return at;
  }

  @Override
  Reading reading() {
    return Reading.PANEL_BY_PANEL;
  }
}
