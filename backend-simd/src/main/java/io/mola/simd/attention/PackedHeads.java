package io.mola.simd.attention;

import io.mola.simd.tiles.MicroKernel;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.work.Stage;
import io.mola.simd.work.Workspace;

/** Each head of a matrix [n, heads · c] packed for the broadcast side. */
final class PackedHeads {
  /** Tiles of rows that a task packs: a tile alone takes no longer than to claim a task. */
  private static final int TILES_PER_TASK = 16;

  private final PackedActivations[] heads;
  private final int c;

  private PackedHeads(PackedActivations[] heads, int c) {
    this.heads = heads;
    this.c = c;
  }

  /** Room for n rows of each head; the product runs over the c columns of a head. */
  static PackedHeads rows(Workspace workspace, int n, int heads, int c) {
    PackedActivations[] packed = new PackedActivations[heads];
    for (int i = 0; i < heads; i++) {
      packed[i] = new PackedActivations().shapeWhole(workspace, n, c);
    }
    return new PackedHeads(packed, c);
  }

  /** Room for n rows of each head; the product runs over the n rows. */
  static PackedHeads columns(Workspace workspace, int n, int heads, int c) {
    PackedActivations[] packed = new PackedActivations[heads];
    for (int i = 0; i < heads; i++) {
      packed[i] = new PackedActivations().shapeWhole(workspace, c, n);
    }
    return new PackedHeads(packed, c);
  }

  Stage packRows(Rows x) {
    int tiles = heads[0].tiles();
    int runs = Math.ceilDiv(tiles, TILES_PER_TASK);
    return Stage.of(
        heads.length * runs,
        (task, worker) -> {
          int head = task % heads.length;
          int first = task / heads.length * TILES_PER_TASK;
          for (int tile = first; tile < Math.min(tiles, first + TILES_PER_TASK); tile++) {
            int row = tile * PackedActivations.ROWS;
            heads[head].packRows(x.data(), x.offset() + head * c + row * x.ld(), x.ld(), tile);
          }
        });
  }

  Stage packColumns(Rows x) {
    int tiles = heads[0].tiles();
    return Stage.of(
        heads.length * tiles,
        (task, worker) -> {
          int head = task / tiles;
          int tile = task % tiles;
          int column = head * c + tile * PackedActivations.ROWS;
          heads[head].packColumns(x.data(), x.offset() + column, x.ld(), tile);
        });
  }

  /**
   * {@code to[r][lane] = x[tile · ROWS + r] · panel[:, lane]} for some tiles of rows of a head.
   *
   * @param panel [c][COLUMNS] at {@code po}
   */
  void times(int head, int tile, int tiles, float[] panel, int po, float[] to, int at) {
    PackedActivations x = heads[head];
    int size = MicroKernel.ROWS * MicroKernel.COLUMNS;
    for (int t = 0; t < tiles; t++) {
      int o = at + t * size;
      MicroKernel.tile(
          x.data(),
          x.offset(0, tile + t),
          panel,
          po,
          c,
          false,
          to,
          o,
          MicroKernel.COLUMNS,
          to,
          o,
          MicroKernel.COLUMNS);
    }
  }

  /**
   * {@code to[column][lane] += Σ_r x[row + r][column] · s[r][lane]} over some rows of a head.
   *
   * @param s [count][COLUMNS] at {@code so}
   * @param to [c rounded up to tiles][COLUMNS] at {@code at}
   */
  void addTransposedTimes(int head, int row, int count, float[] s, int so, float[] to, int at) {
    PackedActivations x = heads[head];
    int size = MicroKernel.ROWS * MicroKernel.COLUMNS;
    for (int t = 0; t < x.tiles(); t++) {
      int o = at + t * size;
      MicroKernel.tile(
          x.data(),
          x.offset(0, t) + row * MicroKernel.ROWS,
          s,
          so,
          count,
          true,
          to,
          o,
          MicroKernel.COLUMNS,
          to,
          o,
          MicroKernel.COLUMNS);
    }
  }
}
