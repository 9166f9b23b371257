package io.mola.cuda.driver;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * Numbers that change from step to step while everything else of a step stays: the learning rate,
 * the step of dropout. Kernels get the address of their number and not its value, so that a
 * recorded step stays right. All numbers of a sequence go to the device in one copy before it.
 */
public final class Varying implements AutoCloseable {
  private static final int CAPACITY = 4096;

  private final Device device;
  private final Queue queue;
  private final PinnedRing ring;
  private final long address;
  private final long[] values = new long[CAPACITY];
  private final Map<Long, Integer> slots = new HashMap<>();

  /** Reserves the device memory of the numbers. */
  public Varying(Device device, PinnedRing ring) {
    this.device = device;
    this.queue = device.queue();
    this.ring = ring;
    address = device.allocate((long) CAPACITY * Long.BYTES, () -> "numbers that vary");
    queue.beforeFlush(this::upload);
  }

  /** Where kernels of the current sequence find these 64 bits; equal bits share a place. */
  long addressOf(long bits) {
    int slot = slots.computeIfAbsent(bits, _ -> slots.size());
    values[slot] = bits;
    return address + (long) slot * Long.BYTES;
  }

  /** Starts another sequence if this one has not room for so many more numbers. */
  void makeRoom(int count) {
    if (slots.size() + count > CAPACITY) {
      queue.flush();
    }
  }

  /** A command is about to be queued: where it starts at once, its numbers go before it. */
  void beforeCommand() {
    if (!queue.isRecording()) {
      upload();
    }
  }

  /** Copies the numbers of the sequence that is about to start, and forgets them. */
  private void upload() {
    int count = slots.size();
    slots.clear();
    if (count > 0) {
      ring.upload(
          address,
          (long) count * Long.BYTES,
          Long.BYTES,
          (pinned, offset) ->
              MemorySegment.copy(
                  values,
                  (int) (offset / Long.BYTES),
                  pinned,
                  ValueLayout.JAVA_LONG,
                  0,
                  (int) (pinned.byteSize() / Long.BYTES)));
    }
  }

  @Override
  public void close() {
    device.free(address);
  }
}
