package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * 8-bit weights with a sign and no minimum, forward: a byte per weight, {@code [k][COLUMNS]};
 * scales {@code [k/32][COLUMNS]} in half precision, as the file has them: a token of a generation
 * reads all of it, so every byte counts.
 */
final class SignedForwardPanels extends CodedPanels implements RowMultiplier {
  private static final VectorSpecies<Byte> B = VectorWidth.BYTE;
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int BLOCK = 32;

  private final short[] halves;

  SignedForwardPanels(int k, int n) {
    super(k, n, FloatPanels.size(k, n), 0);
    halves = new short[Math.toIntExact(FloatPanels.size(k, n) / BLOCK)];
  }

  /** Bytes of panels with so many weights. */
  static long bytes(long weights) {
    return weights + VectorWidth.BYTE_SLACK + 2 * (weights / BLOCK);
  }

  @Override
  void put(int row, byte[] q, float[] scale, float[] minimum) {
    putOutput(row, q);
    int to = row / COLUMNS * (k() / BLOCK) * COLUMNS + row % COLUMNS;
    for (int b = 0; b < k() / BLOCK; b++) {
      halves[to + b * COLUMNS] = Float.floatToFloat16(scale[b]); // exact: it was one
    }
  }

  @Override
  int load(int panel, int k0, int kc, WorkerScratch scratch, int room, int slot) {
    float[] to = scratch.panel(room * kc * COLUMNS);
    int at = slot * kc * COLUMNS;
    int first = panel * k() + k0;
    int blocks = kc / BLOCK;
    float[] scale = scratch.group(blocks * COLUMNS);
    widen(halves, first / BLOCK * COLUMNS, blocks * COLUMNS, scale, 0);
    widen(codes, first * COLUMNS, scale, blocks, to, at);
    return at;
  }

  /** The compiler makes vector conversions of this loop. */
  private static void widen(short[] half, int from, int count, float[] to, int at) {
    for (int i = 0; i < count; i++) {
      to[at + i] = Float.float16ToFloat(half[from + i]);
    }
  }

  private static void widen(byte[] q, int qo, float[] scale, int blocks, float[] to, int at) {
    for (int b = 0; b < blocks; b++) {
      FloatVector s0 = FloatVector.fromArray(F, scale, b * COLUMNS);
      FloatVector s1 = FloatVector.fromArray(F, scale, b * COLUMNS + L);
      for (int i = b * BLOCK; i < (b + 1) * BLOCK; i++) {
        int p = qo + i * COLUMNS;
        int d = at + i * COLUMNS;
        ((FloatVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2F, F, 0))
            .mul(s0)
            .intoArray(to, d);
        ((FloatVector) ByteVector.fromArray(B, q, p + L).convertShape(VectorOperators.B2F, F, 0))
            .mul(s1)
            .intoArray(to, d + L);
      }
    }
  }

  @Override
  RowMultiplier rowMultiplier() {
    return this;
  }

  @Override
  public void row(int first, int second, float[] x, int xo, WorkerScratch scratch, float[] sums) {
    int blocks = k() / BLOCK;
    int count = blocks * COLUMNS;
    float[] scale = scratch.group(2 * count);
    widen(halves, first * count, count, scale, 0);
    widen(halves, second * count, count, scale, count);
    int qa = first * k() * COLUMNS;
    int qb = second * k() * COLUMNS;
    RowKernel.signedBytes(codes, qa, qb, scale, 0, count, blocks, BLOCK, x, xo, sums);
  }

  @Override
  public long bytes() {
    return codes.length + 2L * halves.length;
  }
}
