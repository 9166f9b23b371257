package io.mola.perf.blas;

import org.bytedeco.javacpp.FloatPointer;

/**
 * cblas_sgemm of some library, its rows as order; enumerations have the same numbers everywhere.
 */
@FunctionalInterface
interface Sgemm {
  /** {@code CblasRowMajor}. */
  int ROW_MAJOR = 101;

  /** {@code CblasNoTrans}. */
  int PLAIN = 111;

  /** {@code CblasTrans}. */
  int TRANSPOSED = 112;

  /** {@code C = alpha op(A) op(B) + beta C}, C [m, n], k terms. */
  void call(
      int order,
      int opA,
      int opB,
      int m,
      int n,
      int k,
      float alpha,
      FloatPointer a,
      int lda,
      FloatPointer b,
      int ldb,
      float beta,
      FloatPointer c,
      int ldc);
}
