package io.mola.perf.blas;

import io.mola.perf.product.FrozenProduct;
import io.mola.perf.product.Operands;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * A product by a library: W as it stands, row by row; the library packs what it wants at each call.
 */
final class SgemmProduct implements FrozenProduct {
  private final Sgemm sgemm;
  private final int out;
  private final int in;
  private final FloatPointer w;
  private final FloatPointer x;
  private final FloatPointer dy;
  private final FloatPointer y;
  private final FloatPointer dx;

  SgemmProduct(Sgemm sgemm, Operands operands) {
    this.sgemm = sgemm;
    out = operands.out();
    in = operands.in();
    w = new FloatPointer((long) out * in);
    for (int row = 0; row < out; row++) {
      w.position((long) row * in).put(operands.weights(row), 0, in);
    }
    w.position(0);
    x = new FloatPointer(operands.x().values());
    dy = new FloatPointer(operands.dy().values());
    y = zeros((long) operands.rows() * out);
    dx = zeros((long) operands.rows() * in);
  }

  private static FloatPointer zeros(long count) {
    FloatPointer values = new FloatPointer(count);
    Pointer.memset(values, 0, count * Float.BYTES);
    return values;
  }

  @Override
  public void forward(int rows) {
    sgemm.call(
        Sgemm.ROW_MAJOR, Sgemm.PLAIN, Sgemm.TRANSPOSED, rows, out, in, 1, x, in, w, in, 0, y, out);
  }

  @Override
  public void backward(int rows) {
    sgemm.call(
        Sgemm.ROW_MAJOR, Sgemm.PLAIN, Sgemm.PLAIN, rows, in, out, 1, dy, out, w, in, 1, dx, in);
  }

  @Override
  public float[] y(int rows) {
    return copy(y, rows * out);
  }

  @Override
  public float[] dx(int rows) {
    return copy(dx, rows * in);
  }

  private static float[] copy(FloatPointer from, int count) {
    float[] values = new float[count];
    from.get(values, 0, count);
    return values;
  }

  @Override
  public void close() {
    w.deallocate();
    x.deallocate();
    dy.deallocate();
    y.deallocate();
    dx.deallocate();
  }
}
