package io.mola.perf.gpu;

import java.util.Locale;

/** How much is measured. */
enum Scale {
  /** On a GPU. */
  FULL(BaseShape.SEVEN_BILLION, 8192, 4096, 1L << 30),
  /** For trying the measurement itself. */
  TINY(BaseShape.TINY, 64, 64, 1L << 16);

  final BaseShape shape;
  final int productTokens;
  final int operationTokens;
  final long copiedBytes;

  Scale(BaseShape shape, int productTokens, int operationTokens, long copiedBytes) {
    this.shape = shape;
    this.productTokens = productTokens;
    this.operationTokens = operationTokens;
    this.copiedBytes = copiedBytes;
  }

  static Scale of(String name) {
    return valueOf(name.toUpperCase(Locale.ROOT));
  }
}
