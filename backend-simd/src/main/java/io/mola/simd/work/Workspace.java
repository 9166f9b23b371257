package io.mola.simd.work;

/**
 * Memory for intermediate results of one operation, used again by the next one.
 *
 * <p>Slabs are cut from one array of ints and one of floats. A slab that does not fit gets an array
 * of its own, and the next {@link #reset} makes the common array as large as all of them: after the
 * first step nothing is allocated any more. The contents of a new slab are arbitrary.
 */
public final class Workspace {
  /** Slabs start at multiples of this, the floats of a cache line. */
  private static final int ALIGNMENT = 16;

  /** Largest array, less what virtual machines keep for themselves. */
  private static final long LONGEST = Integer.MAX_VALUE - 16;

  private int[] ints = new int[0];
  private float[] floats = new float[0];
  private int intsUsed;
  private int floatsUsed;
  private long intsWanted;
  private long floatsWanted;

  /** A run of ints. */
  public record Ints(int[] data, int offset) {}

  /** A run of floats. */
  public record Floats(float[] data, int offset) {}

  /** Starts an operation: all slabs handed out before are void. */
  public void reset() {
    if (intsWanted > ints.length) {
      ints = new int[0];
      ints = new int[Math.toIntExact(intsWanted)];
    }
    if (floatsWanted > floats.length) {
      floats = new float[0];
      floats = new float[Math.toIntExact(floatsWanted)];
    }
    intsUsed = 0;
    floatsUsed = 0;
    intsWanted = 0;
    floatsWanted = 0;
  }

  /** Makes the common arrays at least so long, so that operations of that size allocate nothing. */
  public void reserve(long leastInts, long leastFloats) {
    intsWanted = Math.clamp(leastInts, intsWanted, Math.max(intsWanted, LONGEST));
    floatsWanted = Math.clamp(leastFloats, floatsWanted, Math.max(floatsWanted, LONGEST));
    reset();
  }

  /** A slab of ints. */
  public Ints ints(int length) {
    int size = aligned(length);
    intsWanted += size;
    if (size > ints.length - intsUsed) {
      return new Ints(new int[size], 0);
    }
    int offset = intsUsed;
    intsUsed += size;
    return new Ints(ints, offset);
  }

  /** A slab of floats. */
  public Floats floats(int length) {
    int size = aligned(length);
    floatsWanted += size;
    if (size > floats.length - floatsUsed) {
      return new Floats(new float[size], 0);
    }
    int offset = floatsUsed;
    floatsUsed += size;
    return new Floats(floats, offset);
  }

  private static int aligned(int length) {
    return Math.addExact(length, ALIGNMENT - 1) & -ALIGNMENT;
  }
}
