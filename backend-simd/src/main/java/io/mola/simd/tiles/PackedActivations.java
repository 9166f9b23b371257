package io.mola.simd.tiles;

import io.mola.simd.work.Stage;
import io.mola.simd.work.Workspace;

/**
 * A matrix [n, k] packed for the broadcast side of the micro-kernel: block of k by block of k, in
 * it tile by tile, a tile being [kc][ROWS]. So the tiles that a task reads for one block of k lie
 * together. Rows beyond n are zero.
 */
public final class PackedActivations {
  /** Tokens of a tile. */
  public static final int ROWS = MicroKernel.ROWS;

  /** Longest block of k: a panel of that many rows stays in the inner cache beside a tile. */
  private static final int LONGEST_BLOCK = MicroKernel.COLUMNS == 32 ? 288 : 576;

  /** Block of k for one or two rows, where four panels must stay in the inner cache. */
  static final int SHORT_BLOCK = 64;

  /** Blocks of k start at multiples of this, the block length of most quantised weights. */
  private static final int ALIGNMENT = 32;

  /** The same for K-quants, whose rows have such a length. */
  private static final int LONG_ALIGNMENT = 256;

  /** Shortest block of k that a packed matrix is made with. */
  private static final int SHORTEST_BLOCK = 32;

  private static final int TILES_PER_TASK = 4;

  private static final int[] NOTHING = {};

  private int[] data = NOTHING;
  private int base;
  private int n;
  private int k;
  private int tiles;
  private int step;

  /** Makes room for [n, k] in the workspace, blocks of k as products like them. */
  public PackedActivations shape(Workspace workspace, int n, int k) {
    return shape(workspace, n, k, longestBlock(n));
  }

  /** Longest block of k for n tokens. */
  public static int longestBlock(int n) {
    return n <= Product.FEW_ROWS ? SHORT_BLOCK : LONGEST_BLOCK;
  }

  /** The same with k in blocks of even length, at most {@code longest}. */
  public PackedActivations shape(Workspace workspace, int n, int k, int longest) {
    int alignment = k % LONG_ALIGNMENT == 0 ? LONG_ALIGNMENT : ALIGNMENT;
    int most = Math.max(alignment, longest / alignment * alignment);
    int parts = k <= longest ? 1 : ceiling(k, most);
    this.n = n;
    this.k = k;
    this.tiles = ceiling(n, ROWS);
    this.step = ceiling(ceiling(k, parts), alignment) * alignment;
    Workspace.Ints slab = workspace.ints(Math.toIntExact(size(n, k, step)));
    this.data = slab.data();
    this.base = slab.offset();
    return this;
  }

  /** The same with k in one block, so that a tile is [k][ROWS] as a whole. */
  public PackedActivations shapeWhole(Workspace workspace, int n, int k) {
    return shape(workspace, n, k, k);
  }

  /** Ints that a packed [n, k] takes at most. */
  public static long bound(int n, int k) {
    return size(n, k, SHORTEST_BLOCK);
  }

  private static long size(int n, int k, int step) {
    int blocks = ceiling(k, step);
    return (long) ceiling(n, ROWS) * ((long) k * ROWS + (long) blocks * TilePacking.SLACK);
  }

  /** Packs x [n, k], rows {@code ld} apart. */
  public Stage fromRows(float[] x, int xo, int ld) {
    return new RowPacking(this, x, xo, ld);
  }

  private record RowPacking(PackedActivations into, float[] x, int xo, int ld) implements Stage {
    @Override
    public int count() {
      return ceiling(into.tiles, TILES_PER_TASK);
    }

    @Override
    public void run(int index, int worker) {
      int end = Math.min(into.tiles, (index + 1) * TILES_PER_TASK);
      for (int t = index * TILES_PER_TASK; t < end; t++) {
        into.packRows(x, xo + t * ROWS * ld, ld, t);
      }
    }
  }

  /** Packs the transpose of x [k, n], rows {@code ld} apart: the product runs over x's rows. */
  public Stage fromColumns(float[] x, int xo, int ld) {
    return Stage.of(tiles, (index, worker) -> packColumns(x, xo + index * ROWS, ld, index));
  }

  /** Packs tile t from its rows, the first at {@code xo}. */
  public void packRows(float[] x, int xo, int ld, int t) {
    int rows = Math.min(ROWS, n - t * ROWS);
    for (int k0 = 0; k0 < k; k0 += step) {
      int kc = Math.min(step, k - k0);
      if (rows == ROWS) {
        TilePacking.rows(x, xo + k0, ld, kc, data, offset(k0, t));
      } else {
        TilePacking.someRows(x, xo + k0, ld, rows, kc, data, offset(k0, t));
      }
    }
  }

  /** Packs tile t of the transpose, its first column at {@code xo}. */
  public void packColumns(float[] x, int xo, int ld, int t) {
    int columns = Math.min(ROWS, n - t * ROWS);
    for (int k0 = 0; k0 < k; k0 += step) {
      int kc = Math.min(step, k - k0);
      TilePacking.columns(x, xo + k0 * ld, ld, columns, kc, data, offset(k0, t));
    }
  }

  /** The array that {@link #offset} refers to. */
  public int[] data() {
    return data;
  }

  /** Where tile t of the block that starts at k0 starts. */
  public int offset(int k0, int t) {
    return base + (k0 * ROWS + k0 / step * TilePacking.SLACK) * tiles + t * stride(k0);
  }

  /** Distance of two tiles of the block that starts at k0. */
  int stride(int k0) {
    return Math.min(step, k - k0) * ROWS + TilePacking.SLACK;
  }

  /** Rows. */
  int n() {
    return n;
  }

  /** Columns. */
  int k() {
    return k;
  }

  /** Number of tiles. */
  public int tiles() {
    return tiles;
  }

  /** Length of a block of k; the last may be shorter. */
  int step() {
    return step;
  }

  static int ceiling(int a, int b) {
    return (a + b - 1) / b;
  }
}
