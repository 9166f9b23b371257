package io.mola.cuda;

import io.mola.core.backend.DeviceMemory;
import io.mola.core.backend.DevicePlacement;
import io.mola.core.backend.DevicePlacement.Frozen;
import io.mola.core.backend.DevicePlacement.Streaming;
import io.mola.core.backend.FrozenUse;
import io.mola.core.tensor.MemoryPlan;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.PinnedRing;
import io.mola.cuda.driver.Queue;
import java.util.ArrayList;
import java.util.List;

/**
 * Foretells what {@link FrozenStore} does: matrices are loaded in order, those that grow by
 * decoding are decoded while half of the device is free, and where plan and workspace find too
 * little room, first the last of these shrink again, then the last of all stream from host memory.
 *
 * @param device as it names itself
 * @param totalBytes memory of the device
 * @param freeBytes what of it a run may take
 * @param activation how decoded matrices lie
 */
record CudaDeviceMemory(String device, long totalBytes, long freeBytes, Element activation)
    implements DeviceMemory {
  /** What a PCIe 4 connection with 16 lanes brings in practice. */
  static final double BYTES_PER_SECOND = 25e9;

  private static final String RATE_SOURCE = "assumed, PCIe 4 with 16 lanes";

  /**
   * The driver rounds each large allocation up to 2 MiB and keeps the code of kernels: a 64th of
   * the device, 1.25 GiB of 80, is twice what the matrices of an 8B model lose by it.
   */
  private static final int RESERVE = 64;

  /** A streamed matrix is read from one while the next is copied to the other. */
  private static final int BUFFERS = 2;

  /** A matrix and how it lies. */
  private static final class Placed {
    final FrozenUse matrix;
    final long decodedBytes;
    boolean decoded;
    boolean streamed;

    Placed(FrozenUse matrix, Element activation) {
      this.matrix = matrix;
      decodedBytes = (long) matrix.out() * matrix.in() * activation.bytes();
      decoded = decodedBytes < matrix.encodedBytes();
    }

    boolean mayGrow() {
      return decodedBytes > matrix.encodedBytes();
    }

    long bytes() {
      return decoded ? decodedBytes : matrix.encodedBytes();
    }
  }

  @Override
  public DevicePlacement place(MemoryPlan slots, long workspaceBytes, List<FrozenUse> matrices) {
    long reserve = totalBytes / RESERVE;
    long slotBytes = CudaRegion.bytes(slots, activation);
    List<Placed> placed = load(matrices);
    fit(placed, freeBytes - slotBytes - workspaceBytes - reserve);
    long decoded = 0;
    long grown = 0;
    long encoded = 0;
    long streamed = 0;
    long copied = 0;
    for (Placed p : placed) {
      decoded += p.decoded && !p.streamed ? p.bytes() : 0;
      grown += p.decoded && !p.streamed && p.mayGrow() ? p.bytes() : 0;
      encoded += p.decoded || p.streamed ? 0 : p.bytes();
      streamed += p.streamed ? p.bytes() : 0;
      copied += p.streamed ? p.bytes() * p.matrix.uses() : 0;
    }
    return new DevicePlacement(
        device,
        totalBytes,
        freeBytes,
        slotBytes,
        workspaceBytes,
        reserve,
        new Frozen(decoded, grown, encoded, streamed),
        new Streaming(bufferBytes(placed), copied, BYTES_PER_SECOND, RATE_SOURCE),
        PinnedRing.BYTES + Queue.REMEMBERED_BYTES + streamed);
  }

  private List<Placed> load(List<FrozenUse> matrices) {
    List<Placed> loaded = new ArrayList<>();
    long free = freeBytes;
    for (FrozenUse matrix : matrices) {
      Placed p = new Placed(matrix, activation);
      p.decoded |= p.mayGrow() && free - p.decodedBytes > totalBytes / 2;
      free -= p.bytes();
      loaded.add(p);
    }
    return loaded;
  }

  /** Shrinks and then streams the last matrices until those on the device fit {@code room}. */
  private static void fit(List<Placed> placed, long room) {
    long resident = placed.stream().mapToLong(Placed::bytes).sum();
    for (Placed p : placed.reversed()) {
      if (resident > room && p.decoded && p.mayGrow()) {
        resident -= p.bytes() - p.matrix.encodedBytes();
        p.decoded = false;
      }
    }
    long largest = 0;
    for (Placed p : placed.reversed()) {
      if (resident + BUFFERS * largest > room) {
        resident -= p.bytes();
        p.streamed = true;
        largest = Math.max(largest, p.bytes());
      }
    }
  }

  /** Each for the largest streamed matrix. */
  private static long bufferBytes(List<Placed> placed) {
    return BUFFERS
        * placed.stream().filter(p -> p.streamed).mapToLong(Placed::bytes).max().orElse(0);
  }
}
