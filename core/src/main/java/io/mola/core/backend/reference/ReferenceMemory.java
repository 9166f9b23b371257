package io.mola.core.backend.reference;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;

/** Java arrays; copies are made at the call. */
final class ReferenceMemory implements Memory {
  @Override
  public Region allocate(MemoryPlan plan) {
    return new ReferenceRegion(plan);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    return new ReferenceMatrix(matrix);
  }

  /** Nothing: rows are decoded at each use. */
  @Override
  public long frozenBytes(QuantType type, int out, int in) {
    return 0;
  }

  /**
   * The widened copies of the operation with most operands: eight [tokens, widest] in attention
   * backward, four of [tokens, R] beside fewer wide ones in adapter backward.
   */
  @Override
  public long workspaceBytes(int tokens, int widest, int stackedRank) {
    return Double.BYTES * (long) tokens * (8L * widest + 4L * stackedRank);
  }

  @Override
  public void upload(float[] from, Tensor to) {
    ReferenceTensor target = ReferenceTensor.of(to);
    System.arraycopy(from, 0, target.data(), target.offset(), target.size());
  }

  @Override
  public void upload(int[] from, IntTensor to) {
    ReferenceIntTensor target = ReferenceIntTensor.of(to);
    System.arraycopy(from, 0, target.data(), 0, target.rows() * target.cols());
  }

  @Override
  public void download(Tensor from, float[] to) {
    ReferenceTensor source = ReferenceTensor.of(from);
    System.arraycopy(source.data(), source.offset(), to, 0, source.size());
  }
}
