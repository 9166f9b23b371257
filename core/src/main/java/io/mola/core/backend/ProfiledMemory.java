package io.mola.core.backend;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.Optional;

/** Measures copies between host and device; of a queueing backend, a download waits for all. */
record ProfiledMemory(Memory inner, OperationTimes times) implements Memory {
  @Override
  public Region allocate(MemoryPlan plan) {
    return inner.allocate(plan);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    return inner.load(matrix);
  }

  @Override
  public long frozenBytes(QuantType type, int out, int in) {
    return inner.frozenBytes(type, out, in);
  }

  @Override
  public long workspaceBytes(int tokens, int widest, int stackedRank) {
    return inner.workspaceBytes(tokens, widest, stackedRank);
  }

  @Override
  public void reserveWorkspace(int tokens, int widest, int stackedRank) {
    inner.reserveWorkspace(tokens, widest, stackedRank);
  }

  @Override
  public Optional<DeviceMemory> device() {
    return inner.device();
  }

  @Override
  public void upload(float[] from, Tensor to) {
    times.time("memory.upload", 0, () -> inner.upload(from, to));
  }

  @Override
  public void upload(int[] from, IntTensor to) {
    times.time("memory.upload", 0, () -> inner.upload(from, to));
  }

  @Override
  public void download(Tensor from, float[] to) {
    times.time("memory.download", 0, () -> inner.download(from, to));
  }
}
