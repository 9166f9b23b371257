package io.mola.simd.tiles;

import org.jspecify.annotations.Nullable;

/**
 * A matrix [k, n] as the vector operand of the micro-kernel: panels of {@link #COLUMNS} outputs,
 * each [k][COLUMNS] as float32, or in a form that is widened to that block by block. Columns beyond
 * n are zero.
 */
public abstract class Panels {
  /** Outputs of a panel. */
  public static final int COLUMNS = MicroKernel.COLUMNS;

  private final int k;
  private final int n;

  /** A matrix [k, n]. */
  protected Panels(int k, int n) {
    this.k = k;
    this.n = n;
  }

  /**
   * Makes rows [k0, k0 + kc) of a panel readable.
   *
   * @param scratch memory for it, if it must be widened
   * @param room how many panels the scratch must hold, and {@code slot}, which of them this one is
   * @return the offset of the rows in {@link #array}
   */
  abstract int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot);

  /** The array that {@link #load} refers to. */
  float[] array(WorkerScratch scratch) {
    return scratch.panel(0);
  }

  /** Whether {@link #load} is dear, so that what it loads should meet as many tiles as it can. */
  boolean isDecodedAtEachUse() {
    return false;
  }

  /** What multiplies a single row; null: these panels are widened for that, too. */
  @Nullable RowMultiplier rowMultiplier() {
    return null;
  }

  /** Neighbouring panels that are best loaded by one task. */
  int together() {
    return 1;
  }

  /** Bytes that this object keeps. */
  public long bytes() {
    return 0;
  }

  /** Length of the sum. */
  public final int k() {
    return k;
  }

  /** Outputs. */
  public final int n() {
    return n;
  }

  /** Number of panels. */
  public final int count() {
    return count(n);
  }

  /** Number of panels of n outputs. */
  public static int count(int n) {
    return PackedActivations.ceiling(n, COLUMNS);
  }
}
