package io.mola.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.cuda.driver.Closing;
import io.mola.cuda.driver.Device;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.HostBlock;
import io.mola.cuda.driver.HostBlocks;
import io.mola.cuda.driver.PinnedRing;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All frozen matrices. Each is kept in its file encoding, or decoded where that takes no more
 * memory, or while the budget for it and half of the device's memory last. Where an allocation
 * finds too little device memory, matrices that grew by decoding shrink again, and then the last
 * ones move to pinned host memory and stream from there at each use; results keep their bits.
 */
final class FrozenStore implements AutoCloseable {
  private static final Logger LOG = System.getLogger(FrozenStore.class.getName());

  private final Workbench bench;
  private final Device device;
  private final HostBlocks host;
  private final long decodedBudget;
  private final long found;
  private final List<CudaFrozenMatrix> matrices = new ArrayList<>();
  private final List<CudaFrozenMatrix> unverified = new ArrayList<>();
  private final Map<CudaFrozenMatrix, MalformedFileException> damaged = new HashMap<>();
  private long streamedBytes;
  private long mostStreamedBytes;
  private long reportedBytes;

  /**
   * An empty store.
   *
   * @param decodedBudget bytes that matrices may take which grow by decoding
   */
  FrozenStore(Workbench bench, long decodedBudget) {
    this.bench = bench;
    this.device = bench.device();
    this.host = new HostBlocks(device);
    this.decodedBudget = decodedBudget;
    // one int of the device: 1 if a matrix loaded since the last look has a value not finite
    found = device.allocate(Integer.BYTES, () -> "a flag");
    try {
      device.zero(found, Integer.BYTES);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> device.free(found));
    }
    device.onShortage(this::reclaim);
  }

  /** Where streamed matrices come from. */
  HostBlocks host() {
    return host;
  }

  /** How a decoded matrix lies. */
  Element activation() {
    return bench.activation();
  }

  /** Bytes that stream from host memory. */
  long streamedBytes() {
    return streamedBytes;
  }

  /** The most that it has been. */
  long mostStreamedBytes() {
    return mostStreamedBytes;
  }

  CudaFrozenMatrix load(StoredMatrix stored) {
    bench.begin(() -> "loading " + stored.name());
    CudaFrozenMatrix matrix = new CudaFrozenMatrix(stored, this);
    boolean decode = !matrix.growsByDecoding() || roomForDecoded(matrix.decodedBytes());
    place(matrix, decode);
    matrices.add(matrix);
    unverified.add(matrix);
    return matrix;
  }

  /**
   * Copies the matrix to device memory of its own; what has to be decoded comes tile by tile, so
   * that it takes no more scratch memory than an operation does.
   */
  private void place(CudaFrozenMatrix matrix, boolean decode) {
    StoredMatrix stored = matrix.stored();
    boolean convert = decode && !isStoredAsActivation(stored.type());
    long rowBytes = stored.type().rowBytes(stored.in());
    int height = convert ? FrozenProducts.tileRows(stored.out(), stored.in()) : stored.out();
    long staging = convert ? bench.workspace().take(height * rowBytes) : 0;
    long address =
        device.allocate(
            Math.max(1, decode ? matrix.decodedBytes() : stored.bytes().byteSize()),
            () -> "matrix " + stored.name());
    try {
      for (int first = 0; first < stored.out(); first += height) {
        int rows = Math.min(height, stored.out() - first);
        long elements = (long) rows * stored.in();
        long encoded = convert ? staging : address;
        upload(stored, first, rows, encoded);
        FrozenProducts.findNotFinite(bench, stored.type(), encoded, elements, found);
        if (convert) {
          long to = address + (long) first * stored.in() * activation().bytes();
          FrozenProducts.decode(bench, stored.type(), encoded, elements, to);
        }
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> device.free(address));
    }
    matrix.onDevice(address, decode);
  }

  /** Whether a matrix that grows by decoding may be kept decoded. */
  private boolean roomForDecoded(long bytes) {
    long grown =
        matrices.stream()
            .filter(CudaFrozenMatrix::hasGrown)
            .mapToLong(CudaFrozenMatrix::decodedBytes)
            .sum();
    return bytes <= decodedBudget - grown && device.freeBytes() - bytes > device.totalBytes() / 2;
  }

  private boolean isStoredAsActivation(QuantType type) {
    return type == (activation() == Element.BF16 ? QuantType.BF16 : QuantType.F32);
  }

  /** Enqueues the copy of some rows in logical order, through pinned buffers. */
  private void upload(StoredMatrix matrix, int firstRow, int rows, long to) {
    boolean plain = matrix.order().equals(RowOrder.PLAIN);
    long rowBytes = matrix.type().rowBytes(matrix.in());
    if (!plain && rowBytes > PinnedRing.SLOT_BYTES) {
      throw new IllegalArgumentException(
          matrix.name() + ": a row of paired order is longer than " + PinnedRing.SLOT_BYTES);
    }
    bench
        .ring()
        .upload(
            to,
            rows * rowBytes,
            plain ? 1 : Math.toIntExact(rowBytes),
            (pinned, offset) -> copyRows(matrix, firstRow * rowBytes + offset, pinned));
  }

  /** {@code to} = the bytes of the rows in logical order from {@code offset} on. */
  private static void copyRows(StoredMatrix matrix, long offset, MemorySegment to) {
    if (matrix.order().equals(RowOrder.PLAIN)) {
      MemorySegment.copy(matrix.bytes(), offset, to, 0, to.byteSize());
      return;
    }
    long rowBytes = matrix.type().rowBytes(matrix.in());
    int first = (int) (offset / rowBytes);
    for (int r = 0; r < to.byteSize() / rowBytes; r++) {
      long from = matrix.rowOffset(first + r);
      MemorySegment.copy(matrix.bytes(), JAVA_BYTE, from, to, JAVA_BYTE, r * rowBytes, rowBytes);
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

  /** Frees device memory; false if no matrix is left on the device. */
  private boolean reclaim() {
    for (CudaFrozenMatrix matrix : matrices.reversed()) {
      if (matrix.hasGrown()) {
        device.free(matrix.takeAddress());
        place(matrix, false);
        return true;
      }
    }
    for (CudaFrozenMatrix matrix : matrices.reversed()) {
      if (matrix.isOnDevice()) {
        moveToHost(matrix);
        return true;
      }
    }
    return false;
  }

  private void moveToHost(CudaFrozenMatrix matrix) {
    HostBlock block = host.allocate(matrix.deviceBytes());
    host.copyFromDevice(matrix.address(), block);
    device.free(matrix.takeAddress());
    matrix.onHost(block);
    device.queue().stopRecording();
    streamedBytes += block.bytes();
    mostStreamedBytes = Math.max(mostStreamedBytes, streamedBytes);
    if (streamedBytes >= 2 * reportedBytes) {
      reportedBytes = streamedBytes;
      LOG.log(
          Level.WARNING,
          "frozen weights do not fit {0}: {1} MiB and more stream from host memory, which costs"
              + " about {2} ms for each pass over them",
          device.label(),
          (streamedBytes >> 20) + 1,
          Math.round(1e3 * streamedBytes / CudaDeviceMemory.BYTES_PER_SECOND));
    }
  }

  /** Waits for queued work, then frees the matrix. */
  void release(CudaFrozenMatrix matrix) {
    device.operation(() -> "closing " + matrix);
    matrices.remove(matrix);
    unverified.remove(matrix);
    damaged.remove(matrix);
    if (device.isLost()) {
      return;
    }
    HostBlock block = matrix.takeHostBlock();
    if (block != null) {
      streamedBytes -= block.bytes();
      host.free(block);
    } else if (matrix.isOnDevice()) {
      device.free(matrix.takeAddress());
    }
  }

  @Override
  public void close() {
    if (!device.isLost()) {
      new Closing().step(host::close).step(() -> device.free(found)).finish();
    }
  }
}
