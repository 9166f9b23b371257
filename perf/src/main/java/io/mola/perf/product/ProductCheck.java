package io.mola.perf.product;

import io.mola.core.backend.BackendSettings;
import io.mola.testdata.contract.Precision;
import io.mola.testdata.contract.Tolerance;

/** The first rows of both products as the slow reference backend has them. */
final class ProductCheck {
  private static final int ROWS = 5;

  /** Terms up to which {@link Tolerance#PRODUCT} is stated; errors grow with their root. */
  private static final double STATED_TERMS = 768;

  private final int out;
  private final int in;
  private final float[] y;
  private final float[] dx;

  ProductCheck(Operands operands) {
    out = operands.out();
    in = operands.in();
    Operands few = operands.top(Math.min(ROWS, operands.rows()));
    try (FrozenProduct reference =
        new BackendProduct("reference", BackendSettings.ofThisMachine(), few)) {
      reference.forward(few.rows());
      reference.backward(few.rows());
      y = reference.y(few.rows());
      dx = reference.dx(few.rows());
    }
  }

  /**
   * Computes the rows with a product that was not used before.
   *
   * @throws IllegalStateException if an element is off
   */
  void accept(String name, FrozenProduct product) {
    int rows = y.length / out;
    product.forward(rows);
    product.backward(rows);
    requireNear(name + " y", in, product.y(rows), y);
    requireNear(name + " dx", out, product.dx(rows), dx);
  }

  private static void requireNear(String what, int terms, float[] found, float[] wanted) {
    double squares = 0;
    for (float value : wanted) {
      squares += value * (double) value;
    }
    double scale = Math.sqrt(squares / wanted.length);
    double bound =
        Tolerance.PRODUCT.bound(Precision.FLOAT32) * Math.max(1, Math.sqrt(terms / STATED_TERMS));
    for (int i = 0; i < wanted.length; i++) {
      if (!(Math.abs(found[i] - wanted[i]) <= bound * (Math.abs(wanted[i]) + scale))) {
        throw new IllegalStateException(
            "%s[%d] is %s, the reference has %s".formatted(what, i, found[i], wanted[i]));
      }
    }
  }
}
