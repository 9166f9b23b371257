package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import org.jspecify.annotations.Nullable;

/** Memory of one worker for one task. Arrays grow on demand and stay. */
public final class WorkerScratch {
  /** One vector of floats, for sums over lanes. */
  public final float[] lanes = new float[VectorWidth.LANES];

  /** One vector of doubles, for sums over lanes. */
  public final double[] doubleLanes = new double[VectorWidth.LANES];

  private float[] panel = new float[0];
  private float[] sums = new float[0];
  private float[] rows = new float[0];
  private int[] words = new int[0];
  private @Nullable Object rowsOf;
  private long rowsKey;

  /** Widened panels. */
  float[] panel(int length) {
    if (panel.length < length) {
      panel = new float[length];
    }
    return panel;
  }

  /** Running sums, or any floats that live for one task. */
  public float[] sums(int length) {
    if (sums.length < length) {
      sums = new float[length];
    }
    return sums;
  }

  /** Decoded rows; their former contents are void afterwards. */
  public float[] rows(int length) {
    rowsOf = null;
    if (rows.length < length) {
      rows = new float[length];
    }
    return rows;
  }

  /** The decoded rows as they are. */
  float[] rows() {
    return rows;
  }

  /** Ints that live for one task. */
  public int[] words(int length) {
    if (words.length < length) {
      words = new int[length];
    }
    return words;
  }

  /** The decoded rows, if they are those that {@link #keepRows} was told. */
  @SuppressWarnings("ReferenceEquality") // the owner itself, not one like it
  float @Nullable [] keptRows(Object owner, long key) {
    return rowsOf == owner && rowsKey == key ? rows : null;
  }

  /** Notes what the decoded rows are, for the next call that needs the same. */
  void keepRows(Object owner, long key) {
    rowsOf = owner;
    rowsKey = key;
  }
}
