package io.mola.simd.attention;

import io.mola.simd.tiles.MicroKernel;

/**
 * Walks the keys that a block of queries sees, a few tiles at a time.
 *
 * <p>Lanes are the queries of the block. Key j lies {@code base + lane − j} tokens before the query
 * of a lane, in the own segment and in the prefix alike; only base differs. A lane sees it where
 * that distance is at least 0 and below the window.
 */
final class KeyRanges {
  /** Tiles of keys at a time: their scores stay in the inner cache. */
  static final int TILES = MicroKernel.ROWS == 8 ? 8 : 12;

  /** Keys at a time. */
  static final int KEYS = TILES * MicroKernel.ROWS;

  private KeyRanges() {}

  /** Some neighbouring keys. */
  interface Keys {
    /**
     * Handles keys [from, to) of the tiles that start at {@code tile}.
     *
     * @param base see the class
     * @param kvHead and {@code s}: head and scratch of the task, passed on from the walk so that
     *     one object serves all tasks
     */
    void accept(int tile, int tiles, int from, int to, long base, int kvHead, float[] s);
  }

  /** Keys of the prefix, then of the own segment. */
  static void walk(
      Batch batch, int first, int count, int shift, int window, Keys keys, int kvHead, float[] s) {
    int start = batch.start(first);
    int prefixEnd = batch.prefixEnd(first);
    int t = first + shift;
    walk(
        batch.prefixStart(first), prefixEnd, (long) prefixEnd + t - start, window, keys, kvHead, s);
    walk(start, t + count, t, window, keys, kvHead, s);
  }

  private static void walk(
      int low, int high, long base, int window, Keys keys, int kvHead, float[] s) {
    int from = (int) Math.max(low, Math.min(high, base - window + 1));
    if (from >= high) {
      return;
    }
    int last = (high + MicroKernel.ROWS - 1) / MicroKernel.ROWS;
    for (int tile = from / MicroKernel.ROWS; tile < last; tile += TILES) {
      int tiles = Math.min(TILES, last - tile);
      int begin = Math.max(from, tile * MicroKernel.ROWS);
      int end = Math.min(high, (tile + tiles) * MicroKernel.ROWS);
      keys.accept(tile, tiles, begin, end, base, kvHead, s);
    }
  }

  /** Fills what is not seen in the rows of keys [from, to), row 0 being key {@code zero}. */
  static void mask(
      float[] s, int so, int zero, int from, int to, long base, int window, float fill) {
    for (int j = from; j < to; j++) {
      long begin = j - base;
      long end = window - base + j;
      if (begin > 0 || end < MicroKernel.COLUMNS) {
        int row = so + (j - zero) * MicroKernel.COLUMNS;
        LanePanel.mask(
            s, row, (int) Math.max(begin, 0), Math.clamp(end, 0, MicroKernel.COLUMNS), fill);
      }
    }
  }
}
