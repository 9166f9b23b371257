package io.mola.simd;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Policy;
import io.mola.core.quant.StoredMatrix;
import io.mola.simd.tiles.FrozenPanels;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.Panels;
import io.mola.simd.work.WorkerPool;

/**
 * Packed frozen matrices within a byte budget.
 *
 * <p>Training reads the layers in the same cyclic order at each step. Under such an order a cache
 * that makes room by throwing out what was used longest ago never hits, and packing costs more than
 * decoding once. So a matrix is packed where it still fits; one that does not fit is decoded at
 * each use and displaces nothing: a stable part stays resident.
 */
final class PanelCache {
  /** Caffeine's weights are ints: bytes would end at 2 GiB per entry. */
  private static final int UNIT = 1024;

  private final Cache<Key, Panels> cache;
  private final Policy.Eviction<Key, Panels> eviction;
  private final WorkerPool pool;

  /** A direction of a matrix. */
  private record Key(SimdFrozenMatrix matrix, Direction direction) {
    @Override
    @SuppressWarnings("ReferenceEquality") // the matrix itself, not one like it
    public boolean equals(Object other) {
      return other instanceof Key key && key.matrix == matrix && key.direction == direction;
    }

    @Override
    public int hashCode() {
      return 31 * System.identityHashCode(matrix) + direction.hashCode();
    }
  }

  PanelCache(long bytes, WorkerPool pool) {
    this.pool = pool;
    this.cache =
        Caffeine.newBuilder()
            .maximumWeight(bytes / UNIT)
            .weigher((Key key, Panels panels) -> units(panels.bytes()))
            .executor(Runnable::run)
            .build();
    this.eviction = cache.policy().eviction().orElseThrow();
  }

  private static int units(long bytes) {
    return Math.toIntExact((bytes + UNIT - 1) / UNIT);
  }

  /** The panels, packed if they are or now can be. */
  Panels panels(SimdFrozenMatrix matrix, Direction direction) {
    Key key = new Key(matrix, direction);
    Panels packed = cache.getIfPresent(key);
    if (packed != null) {
      return packed;
    }
    StoredMatrix stored = matrix.stored();
    long bytes = FrozenPanels.bytes(stored.type(), stored.out(), stored.in(), direction);
    long used = eviction.weightedSize().orElseThrow();
    if (!FrozenPanels.isPackable(stored.out(), stored.in())
        || units(bytes) > eviction.getMaximum() - used) {
      return matrix.streamed(direction);
    }
    packed = FrozenPanels.pack(stored, direction, pool);
    cache.put(key, packed);
    return packed;
  }

  /** Frees the panels of a matrix. */
  void remove(SimdFrozenMatrix matrix) {
    for (Direction direction : Direction.values()) {
      cache.invalidate(new Key(matrix, direction));
    }
  }

  /** Bytes of the packed matrices. */
  long bytes() {
    return eviction.weightedSize().orElseThrow() * UNIT;
  }

  /** Frees everything. */
  void clear() {
    cache.invalidateAll();
  }
}
