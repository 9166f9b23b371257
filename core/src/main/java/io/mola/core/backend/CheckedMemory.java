package io.mola.core.backend;

import static io.mola.core.backend.Operands.ANY;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.Optional;

/** Checks lengths of host arrays and wraps what the backend hands out. */
record CheckedMemory(Memory inner, Operands operands) implements Memory {
  @Override
  public Region allocate(MemoryPlan plan) {
    return new CheckedRegion(inner.allocate(plan), operands);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    return new CheckedMatrix(matrix.name(), inner.load(matrix), operands);
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
    operands.begin("memory.upload");
    Tensor target = operands.output("to", to, ANY, ANY);
    long size = (long) to.rows() * to.cols();
    operands.require(
        from.length == size, () -> "from has " + from.length + " elements, expected " + size);
    inner.upload(from, target);
  }

  @Override
  public void upload(int[] from, IntTensor to) {
    operands.begin("memory.upload");
    IntTensor target = operands.ints("to", to, ANY, ANY);
    long size = (long) to.rows() * to.cols();
    operands.require(
        from.length >= size,
        () -> "from has " + from.length + " elements, expected at least " + size);
    inner.upload(from, target);
  }

  @Override
  public void download(Tensor from, float[] to) {
    operands.begin("memory.download");
    Tensor source = operands.input("from", from, ANY, ANY);
    long size = (long) from.rows() * from.cols();
    operands.require(
        to.length >= size, () -> "to has " + to.length + " elements, expected at least " + size);
    inner.download(source, to);
  }
}
