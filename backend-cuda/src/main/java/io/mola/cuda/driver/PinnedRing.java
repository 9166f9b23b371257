package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cudart.CU_EVENT_DISABLE_TIMING;
import static org.bytedeco.cuda.global.cudart.cuEventCreate;
import static org.bytedeco.cuda.global.cudart.cuEventDestroy;
import static org.bytedeco.cuda.global.cudart.cuEventRecord;
import static org.bytedeco.cuda.global.cudart.cuEventSynchronize;
import static org.bytedeco.cuda.global.cudart.cuMemFreeHost;
import static org.bytedeco.cuda.global.cudart.cuMemHostAlloc;
import static org.bytedeco.cuda.global.cudart.cuMemcpyDtoHAsync;
import static org.bytedeco.cuda.global.cudart.cuMemcpyHtoDAsync;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.javacpp.Pointer;

/**
 * Copies between host and device through a few pinned buffers in turn: the host fills one while the
 * device reads the others, and whole files are never on the heap. Small copies share a buffer.
 */
public final class PinnedRing implements AutoCloseable {
  /** Bytes of one buffer: at 50 GB/s some 160 µs, long against the cost of a call. */
  public static final int SLOT_BYTES = 8 << 20;

  private static final int SLOTS = 4;

  /** Host memory of all buffers. */
  public static final long BYTES = (long) SLOTS * SLOT_BYTES;

  private static final int ALIGNMENT = 64;

  private final Device device;
  private final List<Slot> slots = new ArrayList<>();
  private final Address source = new Address(0);
  private int turn;

  /** Writes {@code bytes} bytes of a copy, from its byte {@code offset} on, to pinned memory. */
  @FunctionalInterface
  public interface Filler {
    /** The segment has exactly the size of the part. */
    void fill(MemorySegment pinned, long offset);
  }

  /** Reads a part of a copy from pinned memory. */
  @FunctionalInterface
  public interface Reader {
    /** The segment has exactly the size of the part. */
    void read(MemorySegment pinned, long offset);
  }

  /** One buffer; the event is behind the last copy out of it. */
  private static final class Slot {
    final Pointer pinned = new Address(0);
    final CUevent_st event = new CUevent_st();
    int used;
    boolean inFlight;
  }

  /** Allocates at first use. */
  public PinnedRing(Device device) {
    this.device = device;
  }

  /**
   * Enqueues a copy to the device. What the filler wrote was copied when this returns, and may be
   * used again.
   *
   * @param unit parts are whole multiples of it; at most {@link #SLOT_BYTES}
   */
  public void upload(long to, long bytes, int unit, Filler filler) {
    device.enter();
    device.queue().flush();
    for (long done = 0; done < bytes; ) {
      Slot slot = slotFor(bytes - done, unit);
      int part = (int) Math.min(bytes - done, (SLOT_BYTES - slot.used) / unit * (long) unit);
      long address = slot.pinned.address() + slot.used;
      filler.fill(segment(address, part), done);
      device.check(
          cuMemcpyHtoDAsync(to + done, source.at(address), part, device.stream()),
          "cuMemcpyHtoDAsync");
      device.check(cuEventRecord(slot.event, device.stream()), "cuEventRecord");
      slot.inFlight = true;
      slot.used = Math.min(SLOT_BYTES, (slot.used + part + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
      done += part;
    }
  }

  /** Waits for all queued work, and copies to the host. */
  public void download(long from, long bytes, int unit, Reader reader) {
    device.enter();
    device.queue().flush();
    int largest = SLOT_BYTES / unit * unit;
    for (long done = 0; done < bytes; ) {
      Slot slot = next();
      int part = (int) Math.min(bytes - done, largest);
      device.check(
          cuMemcpyDtoHAsync(slot.pinned, from + done, part, device.stream()), "cuMemcpyDtoHAsync");
      device.synchronize();
      reader.read(segment(slot.pinned.address(), part), done);
      done += part;
    }
  }

  /** The current buffer if all of it, or at least half a buffer, still fits; else the next. */
  private Slot slotFor(long bytes, int unit) {
    Slot slot = slots.isEmpty() ? next() : slots.get(turn);
    int room = (SLOT_BYTES - slot.used) / unit * unit;
    return room >= bytes || room >= SLOT_BYTES / 2 ? slot : next();
  }

  /** The buffer whose turn it is, once the device has read it. */
  private Slot next() {
    if (slots.size() < SLOTS) {
      slots.add(newSlot());
      turn = slots.size() - 1;
    } else {
      turn = (turn + 1) % SLOTS;
    }
    Slot slot = slots.get(turn);
    if (slot.inFlight) {
      device.check(cuEventSynchronize(slot.event), "cuEventSynchronize");
    }
    slot.inFlight = false;
    slot.used = 0;
    return slot;
  }

  private Slot newSlot() {
    Slot slot = new Slot();
    device.check(
        cuMemHostAlloc(slot.pinned, SLOT_BYTES, 0), "cuMemHostAlloc of " + SLOT_BYTES + " bytes");
    try {
      device.check(cuEventCreate(slot.event, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    } catch (CudaException e) {
      throw Closing.after(e, () -> device.check(cuMemFreeHost(slot.pinned), "cuMemFreeHost"));
    }
    return slot;
  }

  @SuppressWarnings("restricted") // pinned memory has an address and no arena
  private static MemorySegment segment(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  /** Waits for the copies, then frees. */
  @Override
  public void close() {
    device.operation(() -> "freeing pinned buffers");
    Closing closing = new Closing().step(device::synchronize);
    for (Slot slot : slots) {
      closing
          .step(() -> device.check(cuEventDestroy(slot.event), "cuEventDestroy"))
          .step(() -> device.check(cuMemFreeHost(slot.pinned), "cuMemFreeHost"));
    }
    slots.clear();
    closing.finish();
  }
}
