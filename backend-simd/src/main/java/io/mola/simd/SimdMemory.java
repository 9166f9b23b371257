package io.mola.simd;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.simd.tiles.FrozenPanels;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.tiles.Mask;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Workbench;

/** Heap arrays, and frozen matrices that stay in their mapping. */
final class SimdMemory implements Memory {
  /** Sums, widened panels and groups of panels of one worker: at most 1.6 MB together. */
  private static final long WORKER_BYTES = 2L << 20;

  private final PanelCache cache;
  private final Workbench bench;

  SimdMemory(PanelCache cache, Workbench bench) {
    this.cache = cache;
    this.bench = bench;
  }

  @Override
  public Region allocate(MemoryPlan plan) {
    return new SimdRegion(plan);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    return new SimdFrozenMatrix(matrix, cache);
  }

  @Override
  public long frozenBytes(QuantType type, int out, int in) {
    return FrozenPanels.bytes(type, out, in, Direction.FORWARD)
        + FrozenPanels.bytes(type, out, in, Direction.BACKWARD);
  }

  /** The backward pass of the widest group: packed gradients, the dropout mask, and the experts. */
  @Override
  public long workspaceBytes(int tokens, int widest, int stackedRank) {
    long numbers =
        workspaceInts(tokens, widest, stackedRank) + workspaceFloats(tokens, widest, stackedRank);
    return Integer.BYTES * numbers + bench.pool().size() * WORKER_BYTES;
  }

  @Override
  public void reserveWorkspace(int tokens, int widest, int stackedRank) {
    bench
        .workspace()
        .reserve(
            workspaceInts(tokens, widest, stackedRank),
            workspaceFloats(tokens, widest, stackedRank));
  }

  private static long workspaceInts(int tokens, int widest, int stackedRank) {
    return 3 * PackedActivations.bound(tokens, widest)
        + 3 * PackedActivations.bound(tokens, stackedRank)
        + Mask.size(tokens, widest);
  }

  private static long workspaceFloats(int tokens, int widest, int stackedRank) {
    return 2L * tokens * stackedRank + 2L * stackedRank * widest;
  }

  @Override
  public void upload(float[] from, Tensor to) {
    SimdTensor tensor = SimdTensor.of(to);
    System.arraycopy(from, 0, tensor.data(), tensor.offset(), tensor.size());
  }

  @Override
  public void upload(int[] from, IntTensor to) {
    SimdIntTensor tensor = SimdIntTensor.of(to);
    System.arraycopy(from, 0, tensor.data(), 0, tensor.rows() * tensor.cols());
  }

  @Override
  public void download(Tensor from, float[] to) {
    SimdTensor tensor = SimdTensor.of(from);
    System.arraycopy(tensor.data(), tensor.offset(), to, 0, tensor.size());
  }
}
