package io.mola.perf.product;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.Random;

/**
 * What is multiplied.
 *
 * @param stored W [out, in]
 * @param x [rows, in]
 * @param dy [rows, out]
 */
public record Operands(StoredMatrix stored, HostTensor x, HostTensor dy) {
  private static final long SEED = 42;

  /** Random operands; in is rounded up to whole blocks. */
  static Operands random(QuantType type, ProductShape shape, int rows) {
    Random random = new Random(SEED);
    int in = QuantisedMatrices.width(type, shape.in());
    return new Operands(
        QuantisedMatrices.random(type, shape.out(), in, RowOrder.PLAIN, SEED),
        HostTensor.random(rows, in, 1, random),
        HostTensor.random(rows, shape.out(), 1, random));
  }

  /** Rows of W. */
  public int out() {
    return stored.out();
  }

  /** Columns of W. */
  public int in() {
    return stored.in();
  }

  /** Rows of x. */
  public int rows() {
    return x.rows();
  }

  /** Row {@code row} of W as floats. */
  public float[] weights(int row) {
    float[] values = new float[in()];
    RowDecoder.decodeRow(stored, row, values, 0);
    return values;
  }

  /** Only the first rows of x and dy. */
  Operands top(int rows) {
    return new Operands(stored, x.rows(0, rows), dy.rows(0, rows));
  }
}
