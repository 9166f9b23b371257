package io.mola.simd.tiles;

import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.simd.lanes.DecodingLanes;

/**
 * A frozen matrix that is decoded from its file at each use and kept nowhere. Some panels are
 * decoded at once, one block of k after the other, and stay in the scratch of the worker while it
 * multiplies many tiles with them.
 */
abstract class StreamedPanels extends Panels {
  private static final int TOGETHER = 4;

  /** With fewer outputs half as many, so that there are tasks enough to even out their ends. */
  private static final int FEW_OUTPUTS = 1024;

  final StoredMatrix matrix;
  private final int together;

  /** Whether the values of a row are known to be finite; workers may find it out at once. */
  private final boolean[] finite;

  /**
   * Panels [k, n] of it.
   *
   * @param together panels that are decoded at once
   */
  StreamedPanels(StoredMatrix matrix, int k, int n, int together) {
    super(k, n);
    this.matrix = matrix;
    this.together = together;
    this.finite = new boolean[matrix.out()];
  }

  /** Panels that are decoded at once. */
  static int together(int outputs) {
    return outputs < FEW_OUTPUTS ? TOGETHER / 2 : TOGETHER;
  }

  @Override
  final int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    int first = panel / together * together;
    long key = (long) k0 << 40 | (long) kc << 24 | first; // kc is below 2^16, panels below 2^24
    if (!scratch.holdsGroup(this, key)) {
      float[] to = scratch.group(together * kc * COLUMNS);
      decode(first, Math.min(count(), first + together), k0, kc, scratch, to);
      scratch.keepGroup(this, key);
    }
    return (panel - first) * kc * COLUMNS;
  }

  /**
   * Decodes rows [k0, k0 + kc) of panels [first, end), each to {@code [kc][COLUMNS]}, one after the
   * other from index 0; columns beyond n are zero.
   */
  abstract void decode(int first, int end, int k0, int kc, WorkerScratch scratch, float[] to);

  /** As {@link DecodingLanes#decodeParts}; rows are checked at first use. */
  final void decodeParts(int row, int rows, int from, int count, float[] to, int at, int ld) {
    float[] whole = null;
    for (int r = row; r < row + rows; r++) {
      if (!finite[r]) {
        whole = whole == null ? new float[matrix.in()] : whole;
        RowDecoder.decodeRow(matrix, r, whole, 0);
        RowDecoder.requireFinite(matrix, r, whole, 0);
        finite[r] = true;
      }
    }
    DecodingLanes.decodeParts(matrix, row, rows, from, count, to, at, ld);
  }

  @Override
  final float[] array(WorkerScratch scratch) {
    return scratch.group();
  }

  @Override
  final boolean isDecodedAtEachUse() {
    return true;
  }

  @Override
  final int together() {
    return together;
  }
}
