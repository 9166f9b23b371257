package io.mola.simd;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.quant.StoredMatrix;
import io.mola.simd.tiles.FrozenPanels;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.Panels;

/** A frozen matrix: its file form, and the panels that the cache may keep. */
final class SimdFrozenMatrix implements FrozenMatrix {
  private final StoredMatrix stored;
  private final PanelCache cache;
  private final Panels streamedForward;
  private final Panels streamedBackward;

  SimdFrozenMatrix(StoredMatrix stored, PanelCache cache) {
    this.stored = stored;
    this.cache = cache;
    this.streamedForward = FrozenPanels.stream(stored, Direction.FORWARD);
    this.streamedBackward = FrozenPanels.stream(stored, Direction.BACKWARD);
  }

  /** The matrix of this backend. */
  static SimdFrozenMatrix of(FrozenMatrix matrix) {
    if (matrix instanceof SimdFrozenMatrix simd) {
      return simd;
    }
    throw new IllegalArgumentException(
        "matrix of another backend: " + matrix.getClass().getSimpleName());
  }

  StoredMatrix stored() {
    return stored;
  }

  /** Panels for a product, [in, out] forward, [out, in] backward. */
  Panels panels(Direction direction) {
    return cache.panels(this, direction);
  }

  Panels streamed(Direction direction) {
    return direction == Direction.FORWARD ? streamedForward : streamedBackward;
  }

  @Override
  public int out() {
    return stored.out();
  }

  @Override
  public int in() {
    return stored.in();
  }

  @Override
  public void close() {
    cache.remove(this);
  }
}
