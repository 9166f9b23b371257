package io.mola.perf.product;

/** Products with one frozen matrix W [out, in], on buffers of its own. */
public interface FrozenProduct extends AutoCloseable {
  /** {@code y = x · Wᵀ} of the first rows. */
  void forward(int rows);

  /** {@code dx += dy · W} of the first rows; dx is 0 at the start. */
  void backward(int rows);

  /** The first rows of y, row by row. */
  float[] y(int rows);

  /** The first rows of dx, row by row. */
  float[] dx(int rows);

  /** Frees the buffers and ends threads. */
  @Override
  void close();
}
