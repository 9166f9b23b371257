package io.mola.simd.tiles;

import io.mola.simd.lanes.VectorWidth;

/**
 * Panels of integers with scales and minima, {@code value = q · scale + minimum}: a quantised
 * matrix as its file has it, in the order the kernel reads. Blocks lie along the inputs. In the
 * forward direction the sum runs along them: a (sub-block, output) has a scale. In the backward
 * direction the sum runs across: a (sum index, vector of inputs) has one.
 */
abstract class CodedPanels extends Panels {
  /** One vector of outputs. */
  static final int L = VectorWidth.LANES;

  final byte[] codes;
  final float[] scales;
  final float[] minima;

  CodedPanels(int k, int n, long codes, long scales) {
    super(k, n);
    this.codes = new byte[Math.toIntExact(codes + VectorWidth.BYTE_SLACK)];
    this.scales = new float[Math.toIntExact(scales)];
    this.minima = new float[Math.toIntExact(scales)];
  }

  /**
   * Enters output row {@code row} of the matrix.
   *
   * @param q [in]
   * @param scale [in / sub-block]
   * @param minimum [in / sub-block]
   */
  abstract void put(int row, byte[] q, float[] scale, float[] minimum);

  /** Enters codes of a byte each as an output of its panel, {@code [k][COLUMNS]}. */
  final void putOutput(int row, byte[] q) {
    int at = row / COLUMNS * k() * COLUMNS + row % COLUMNS;
    for (int i = 0; i < k(); i++) {
      codes[at + i * COLUMNS] = q[i];
    }
  }

  @Override
  public long bytes() {
    return codes.length + 4L * scales.length + 4L * minima.length;
  }
}
