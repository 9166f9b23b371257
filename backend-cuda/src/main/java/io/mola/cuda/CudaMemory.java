package io.mola.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Device;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.PinnedRing;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Device memory. Frozen matrices are kept in their file encoding, or decoded where that takes no
 * more memory, or while the budget for it and half of the device's memory last.
 */
final class CudaMemory implements Memory, AutoCloseable {
  private final Workbench bench;
  private final Device device;
  private final Element activation;
  private final long weightCacheBytes;
  private long decodedBytes;

  /** One int of the device: 1 if a matrix loaded since the last look has a value not finite. */
  private final long found;

  private final List<CudaFrozenMatrix> unverified = new ArrayList<>();
  private final Map<CudaFrozenMatrix, MalformedFileException> damaged = new HashMap<>();

  CudaMemory(Workbench bench, long weightCacheBytes) {
    this.bench = bench;
    this.device = bench.device();
    this.activation = bench.activation();
    this.weightCacheBytes = weightCacheBytes;
    found = device.allocate(Integer.BYTES, () -> "a flag");
    device.zero(found, Integer.BYTES);
  }

  /** How a decoded matrix lies. */
  Element activation() {
    return activation;
  }

  @Override
  public Region allocate(MemoryPlan plan) {
    device.operation(() -> "allocating a plan of " + plan.slots().size() + " buffers");
    return new CudaRegion(device, plan, activation);
  }

  @Override
  public FrozenMatrix load(StoredMatrix matrix) {
    bench.begin(() -> "loading " + matrix.name());
    long elements = (long) matrix.out() * matrix.in();
    long decodedSize = elements * activation.bytes();
    long encodedSize = matrix.bytes().byteSize();
    boolean decode = decodedSize <= encodedSize || roomForDecoded(decodedSize);
    long address =
        device.allocate(
            Math.max(1, decode ? decodedSize : encodedSize), () -> "matrix " + matrix.name());
    boolean asIs = isStoredAs(matrix.type(), activation);
    long encoded = decode && !asIs ? bench.workspace().take(encodedSize) : address;
    uploadRows(matrix, encoded);
    FrozenProducts.findNotFinite(bench, matrix.type(), encoded, elements, found);
    if (encoded != address) {
      FrozenProducts.decode(bench, matrix.type(), encoded, elements, address);
    }
    if (decode && decodedSize > encodedSize) {
      decodedBytes += decodedSize;
    }
    CudaFrozenMatrix frozen = new CudaFrozenMatrix(matrix, this, address, decode);
    unverified.add(frozen);
    return frozen;
  }

  /** Whether a matrix that grows by decoding may be kept decoded. */
  private boolean roomForDecoded(long bytes) {
    return bytes <= weightCacheBytes - decodedBytes
        && device.freeBytes() - bytes > device.totalBytes() / 2;
  }

  /** Whether the file encoding is that of activations. */
  private static boolean isStoredAs(QuantType type, Element element) {
    return type == (element == Element.BF16 ? QuantType.BF16 : QuantType.F32);
  }

  /** Enqueues the copy of all rows in logical order. */
  private void uploadRows(StoredMatrix matrix, long to) {
    int rowBytes = Math.toIntExact(matrix.type().rowBytes(matrix.in()));
    long bytes = matrix.bytes().byteSize();
    if (matrix.order().equals(RowOrder.PLAIN) || rowBytes > PinnedRing.SLOT_BYTES) {
      requirePlain(matrix);
      bench
          .ring()
          .upload(
              to,
              bytes,
              1,
              (pinned, offset) ->
                  MemorySegment.copy(matrix.bytes(), offset, pinned, 0, pinned.byteSize()));
      return;
    }
    bench
        .ring()
        .upload(
            to,
            bytes,
            rowBytes,
            (pinned, offset) -> {
              int first = (int) (offset / rowBytes);
              for (int r = 0; r < pinned.byteSize() / rowBytes; r++) {
                long from = matrix.rowOffset(first + r);
                MemorySegment.copy(
                    matrix.bytes(),
                    JAVA_BYTE,
                    from,
                    pinned,
                    JAVA_BYTE,
                    (long) r * rowBytes,
                    rowBytes);
              }
            });
  }

  private static void requirePlain(StoredMatrix matrix) {
    if (!matrix.order().equals(RowOrder.PLAIN)) {
      throw new IllegalArgumentException(
          matrix.name() + ": a row of paired order is longer than " + PinnedRing.SLOT_BYTES);
    }
  }

  /**
   * Throws if the matrix has a value that is not finite. The device looked at load; the host asks
   * for the answer once for all matrices loaded so far, which is the only wait, and searches the
   * row only where there is one.
   */
  void requireFinite(CudaFrozenMatrix matrix) {
    if (!unverified.isEmpty()) {
      int[] flag = new int[1];
      bench
          .ring()
          .download(
              found,
              Integer.BYTES,
              Integer.BYTES,
              (pinned, offset) -> flag[0] = pinned.get(JAVA_INT, 0));
      if (flag[0] != 0) {
        unverified.forEach(this::examine);
        device.zero(found, Integer.BYTES);
      }
      unverified.clear();
    }
    @Nullable MalformedFileException damage = damaged.get(matrix);
    if (damage != null) {
      throw damage;
    }
  }

  private void examine(CudaFrozenMatrix matrix) {
    try {
      matrix.examine();
    } catch (MalformedFileException e) {
      damaged.put(matrix, e);
    }
  }

  /** Frees a matrix. */
  void release(CudaFrozenMatrix matrix, long address) {
    device.operation(() -> "closing " + matrix);
    device.free(address);
    long decodedSize = (long) matrix.out() * matrix.in() * activation.bytes();
    if (matrix.isDecoded() && decodedSize > matrix.stored().bytes().byteSize()) {
      decodedBytes -= decodedSize;
    }
    unverified.remove(matrix);
    damaged.remove(matrix);
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
    device.free(found);
  }
}
