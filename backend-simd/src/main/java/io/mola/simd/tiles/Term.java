package io.mola.simd.tiles;

/**
 * One product of a sum of products: {@code x [n, k] · w[from .. from + k, :]}.
 *
 * @param x packed activations
 * @param w panels
 * @param from first row of w
 */
public record Term(PackedActivations x, Panels w, int from) {
  /** All of w. */
  public Term(PackedActivations x, Panels w) {
    this(x, w, 0);
  }
}
