package io.mola.simd.tiles;

import io.mola.simd.lanes.DropoutLanes;
import io.mola.simd.work.Workspace;

/**
 * A dropout mask [n, columns] as bits, for a term of a {@link Product} or for {@link Strips}. There
 * are whole tiles of rows; what stands beyond n and columns is arbitrary.
 */
public final class Mask {
  private final int[] kept;
  private final int offset;
  private final int ld;
  private final float scale;

  /** Room for a mask that multiplies by 0 or {@code scale}. */
  public Mask(Workspace workspace, int n, int columns, float scale) {
    this.ld = 2 * Panels.count(columns);
    Workspace.Ints slab = workspace.ints(Math.toIntExact(size(n, columns)));
    this.kept = slab.data();
    this.offset = slab.offset();
    this.scale = scale;
  }

  /** Ints of a mask. */
  public static long size(int n, int columns) {
    int tiles = PackedActivations.ceiling(n, MicroKernel.ROWS);
    return 2L * tiles * MicroKernel.ROWS * Panels.count(columns);
  }

  /** The array that {@link #row} refers to. */
  public int[] data() {
    return kept;
  }

  /** Where the bits of a row go: see {@link DropoutLanes#keep}. */
  public int row(int row) {
    return offset + row * ld;
  }

  /** Masks a panel's columns of some rows: COLUMNS floats each, at {@code so}. */
  void apply(float[] s, int so, int row, int rows, int panel) {
    DropoutLanes.mask(s, so, rows, kept, row(row) + 2 * panel, ld, scale);
  }

  /** The same, and adds rows of y, the first at {@code at}, {@code ldy} apart. */
  void applyAndAdd(float[] s, int so, int row, int rows, int panel, float[] y, int at, int ldy) {
    DropoutLanes.maskAndAdd(s, so, rows, kept, row(row) + 2 * panel, ld, scale, y, at, ldy);
  }
}
