package io.mola.perf.product;

/** A library of matrix products in float32, found by ServiceLoader. */
public interface ProductLibrary {
  /** As on the command line, for example {@code openblas}. */
  String name();

  /** Copies the operands. */
  FrozenProduct open(Operands operands, int threads);
}
