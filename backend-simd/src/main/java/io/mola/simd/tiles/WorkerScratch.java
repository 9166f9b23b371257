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
  private float[] group = new float[0];
  private int[] words = new int[0];
  private @Nullable Object groupOf;
  private long groupKey;

  /** A widened panel, or parts of rows on their way into one. */
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

  /** Some neighbouring panels; their former contents are void afterwards. */
  float[] group(int length) {
    groupOf = null;
    if (group.length < length) {
      group = new float[length];
    }
    return group;
  }

  /** The panels as they are. */
  float[] group() {
    return group;
  }

  /** Ints that live for one task. */
  public int[] words(int length) {
    if (words.length < length) {
      words = new int[length];
    }
    return words;
  }

  /** Whether the panels are those that {@link #keepGroup} was told. */
  @SuppressWarnings("ReferenceEquality") // the owner itself, not one like it
  boolean holdsGroup(Object owner, long key) {
    return groupOf == owner && groupKey == key;
  }

  /** Notes what the panels are, for the next call that needs the same. */
  void keepGroup(Object owner, long key) {
    groupOf = owner;
    groupKey = key;
  }
}
