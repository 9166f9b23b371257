package io.mola.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.mola.core.backend.DeviceMemory;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Device;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Products;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Device memory, filled and read through pinned buffers. */
final class CudaMemory implements Memory, AutoCloseable {
  private final Workbench bench;
  private final Device device;
  private final Element activation;
  private final FrozenStore store;

  CudaMemory(Workbench bench, long weightCacheBytes) {
    this.bench = bench;
    this.device = bench.device();
    this.activation = bench.activation();
    this.store = new FrozenStore(bench, weightCacheBytes);
  }

  /** The frozen matrices. */
  FrozenStore store() {
    return store;
  }

  @Override
  public Region allocate(MemoryPlan plan) {
    device.operation(() -> "allocating a plan of " + plan.slots().size() + " buffers");
    return new CudaRegion(device, plan, activation);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    return store.load(matrix);
  }

  /** Decoded: with room for less, matrices of quantised types stay as in the file. */
  @Override
  public long frozenBytes(QuantType type, int out, int in) {
    return (long) out * in * activation.bytes();
  }

  @Override
  public long workspaceBytes(int tokens, int widest, int stackedRank) {
    return WorkspacePlan.bytes(tokens, widest, stackedRank, activation);
  }

  /** What the backend has taken for work of any size counts as free: the plan has it, too. */
  @Override
  public Optional<DeviceMemory> device() {
    return Optional.of(
        new CudaDeviceMemory(
            device.label(),
            device.totalBytes(),
            device.freeBytes() + Products.WORKSPACE_BYTES,
            activation));
  }

  @Override
  public void upload(float[] from, Tensor to) {
    device.operation(() -> "memory.upload to " + to);
    CudaTensor tensor = CudaTensor.of(to);
    int unit = tensor.element().bytes();
    bench
        .ring()
        .upload(
            tensor.address(),
            tensor.bytes(),
            unit,
            (pinned, offset) -> {
              int first = (int) (offset / unit);
              int count = (int) (pinned.byteSize() / unit);
              if (tensor.element() == Element.F32) {
                MemorySegment.copy(from, first, pinned, JAVA_FLOAT, 0, count);
              } else {
                for (int i = 0; i < count; i++) {
                  pinned.setAtIndex(JAVA_SHORT, i, Element.toBf16(from[first + i]));
                }
              }
            });
  }

  @Override
  public void upload(int[] from, IntTensor to) {
    device.operation(() -> "memory.upload to " + to);
    CudaIntTensor tensor = CudaIntTensor.of(to);
    bench
        .ring()
        .upload(
            tensor.address(),
            tensor.bytes(),
            Integer.BYTES,
            (pinned, offset) ->
                MemorySegment.copy(
                    from,
                    (int) (offset / Integer.BYTES),
                    pinned,
                    JAVA_INT,
                    0,
                    (int) (pinned.byteSize() / Integer.BYTES)));
  }

  @Override
  public void download(Tensor from, float[] to) {
    device.operation(() -> "memory.download of " + from);
    CudaTensor tensor = CudaTensor.of(from);
    int unit = tensor.element().bytes();
    bench
        .ring()
        .download(
            tensor.address(),
            tensor.bytes(),
            unit,
            (pinned, offset) -> {
              int first = (int) (offset / unit);
              int count = (int) (pinned.byteSize() / unit);
              if (tensor.element() == Element.F32) {
                MemorySegment.copy(pinned, JAVA_FLOAT, 0, to, first, count);
              } else {
                for (int i = 0; i < count; i++) {
                  to[first + i] = Element.ofBf16(pinned.getAtIndex(JAVA_SHORT, i));
                }
              }
            });
  }

  @Override
  public void close() {
    store.close();
  }
}
