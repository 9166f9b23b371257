package io.mola.perf.product;

import java.util.Arrays;
import java.util.List;

/**
 * A matrix W [out, in].
 *
 * @param out rows
 * @param in columns
 */
record ProductShape(int out, int in) {
  /** The projections of SmolLM2-135M, TinyLlama 1.1B and Llama 2 7B (its k and v are as its q). */
  static final List<ProductShape> MODELS =
      parseAll(
          "576x576,192x576,1536x576,576x1536,2048x2048,256x2048,5632x2048,2048x5632,"
              + "4096x4096,11008x4096,4096x11008");

  /** Weights from which on a product is large: its panels fit no cache. */
  private static final long LARGE = 4_000_000;

  static ProductShape parse(String text) {
    int cross = text.indexOf('x');
    return new ProductShape(
        Integer.parseInt(text.substring(0, cross)), Integer.parseInt(text.substring(cross + 1)));
  }

  static List<ProductShape> parseAll(String text) {
    return Arrays.stream(text.split(",", -1)).map(ProductShape::parse).toList();
  }

  boolean isLarge() {
    return (long) out * in >= LARGE;
  }

  double flops(int rows) {
    return 2.0 * rows * out * in;
  }

  @Override
  public String toString() {
    return out + "x" + in;
  }
}
