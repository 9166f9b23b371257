package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cudart.CU_EVENT_DISABLE_TIMING;
import static org.bytedeco.cuda.global.cudart.CU_STREAM_NON_BLOCKING;
import static org.bytedeco.cuda.global.cudart.cuEventCreate;
import static org.bytedeco.cuda.global.cudart.cuEventDestroy;
import static org.bytedeco.cuda.global.cudart.cuEventRecord;
import static org.bytedeco.cuda.global.cudart.cuMemFreeHost;
import static org.bytedeco.cuda.global.cudart.cuMemHostAlloc;
import static org.bytedeco.cuda.global.cudart.cuMemcpyDtoHAsync;
import static org.bytedeco.cuda.global.cudart.cuMemcpyHtoDAsync;
import static org.bytedeco.cuda.global.cudart.cuStreamCreate;
import static org.bytedeco.cuda.global.cudart.cuStreamDestroy;
import static org.bytedeco.cuda.global.cudart.cuStreamSynchronize;
import static org.bytedeco.cuda.global.cudart.cuStreamWaitEvent;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Blocks that do not fit the device and come from pinned host memory at each use, through two
 * buffers on the device: while one is read by kernels, the next block is copied to the other on a
 * stream of its own. Which block comes next is what came after the same {@value #CONTEXT} blocks
 * before: forward and backward passes differ in them. A wrong guess costs a copy and changes
 * nothing.
 */
public final class HostBlocks implements AutoCloseable {
  private static final int CONTEXT = 4;

  private final Device device;
  private final CUstream_st copies = new CUstream_st();
  private final List<Buffer> buffers = List.of(new Buffer(), new Buffer());
  private final Deque<HostBlock> recent = new ArrayDeque<>();
  private final Map<List<HostBlock>, HostBlock> successors = new HashMap<>();
  private final Set<HostBlock> live = new LinkedHashSet<>();
  private long largest;
  private long bufferBytes;
  private long ahead;
  private long copiedBytes;
  private boolean open;

  /** A place for a block on the device. */
  private static final class Buffer {
    /** Behind the copy into it. */
    final CUevent_st filled = new CUevent_st();

    /** Behind the last kernel that reads it. */
    final CUevent_st read = new CUevent_st();

    long address;
    @Nullable HostBlock holds;
    boolean wasRead;
  }

  /** Allocates at first use. */
  public HostBlocks(Device device) {
    this.device = device;
  }

  /** How many fetches found their block on the device, or on its way. */
  public long fetchedAhead() {
    return ahead;
  }

  /** Bytes copied to the device so far. */
  public long copiedBytes() {
    return copiedBytes;
  }

  /** Pinned memory of that size, with unknown content. */
  public HostBlock allocate(long bytes) {
    device.enter();
    Pointer pinned = new Address(0);
    int status = cuMemHostAlloc(pinned, bytes, 0);
    if (status == Remedy.OUT_OF_MEMORY) {
      throw new CudaException(
          "weights that %s has no room for need %,d MiB more of pinned host memory, which cuMemHostAlloc did not give: free memory of the host, or lower --micro-batch-size or --cutoff-len"
              .formatted(device.label(), (bytes >> 20) + 1));
    }
    device.check(status, "cuMemHostAlloc of " + bytes + " bytes");
    largest = Math.max(largest, bytes);
    HostBlock block = new HostBlock(pinned, bytes);
    live.add(block);
    return block;
  }

  /** Waits for queued work, then copies device memory to the block. */
  public void copyFromDevice(long address, HostBlock to) {
    device.enter();
    device.queue().flush();
    device.check(
        cuMemcpyDtoHAsync(to.pinned(), address, to.bytes(), device.stream()), "cuMemcpyDtoHAsync");
    device.synchronize();
  }

  /**
   * Where kernels that are queued from now until {@link #done} find the block on the device; the
   * copy of the block that probably comes next starts.
   */
  public long fetch(HostBlock block) {
    device.enter();
    device.queue().flush();
    open();
    Buffer buffer = bufferOf(block);
    if (buffer == null) {
      buffer = otherThan(recent.peekLast());
      copy(block, buffer);
    } else {
      ahead++;
    }
    device.check(cuStreamWaitEvent(device.stream(), buffer.filled, 0), "cuStreamWaitEvent");
    List<HostBlock> context = List.copyOf(recent);
    if (context.size() == CONTEXT) {
      successors.put(context, block);
      recent.removeFirst();
    }
    recent.addLast(block);
    @Nullable HostBlock next = successors.get(List.copyOf(recent));
    if (next != null && bufferOf(next) == null) {
      copy(next, otherThan(block));
    }
    return buffer.address;
  }

  /** Kernels queued so far are the last that read the block this time. */
  public void done(HostBlock block) {
    Buffer buffer = bufferOf(block);
    if (buffer == null) {
      throw new IllegalStateException("a block was taken off the device while it was in use");
    }
    device.queue().flush();
    device.check(cuEventRecord(buffer.read, device.stream()), "cuEventRecord");
    buffer.wasRead = true;
  }

  private void copy(HostBlock block, Buffer to) {
    if (to.wasRead) {
      device.check(cuStreamWaitEvent(copies, to.read, 0), "cuStreamWaitEvent");
    }
    to.holds = null;
    device.check(
        cuMemcpyHtoDAsync(to.address, block.pinned(), block.bytes(), copies), "cuMemcpyHtoDAsync");
    device.check(cuEventRecord(to.filled, copies), "cuEventRecord");
    copiedBytes += block.bytes();
    to.holds = block;
  }

  private @Nullable Buffer bufferOf(HostBlock block) {
    for (Buffer buffer : buffers) {
      if (buffer.holds == block) {
        return buffer;
      }
    }
    return null;
  }

  private Buffer otherThan(@Nullable HostBlock block) {
    Buffer first = buffers.getFirst();
    return block != null && first.holds == block ? buffers.getLast() : first;
  }

  /** Stream, events and buffers; larger buffers where a larger block has come. */
  private void open() {
    if (!open) {
      device.check(cuStreamCreate(copies, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
      open = true;
    }
    for (Buffer buffer : buffers) {
      if (buffer.filled.isNull()) {
        device.check(cuEventCreate(buffer.filled, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
      }
      if (buffer.read.isNull()) {
        device.check(cuEventCreate(buffer.read, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
      }
    }
    if (bufferBytes < largest) {
      freeBuffers();
      bufferBytes = largest;
      for (Buffer buffer : buffers) {
        buffer.address = device.allocate(bufferBytes, () -> "a buffer for streamed weights");
      }
    }
  }

  private void freeBuffers() {
    device.check(cuStreamSynchronize(copies), "cuStreamSynchronize");
    Closing closing = new Closing();
    for (Buffer buffer : buffers) {
      long address = buffer.address;
      buffer.address = 0;
      buffer.holds = null;
      if (address != 0) {
        closing.step(() -> device.free(address));
      }
    }
    bufferBytes = 0;
    closing.finish();
  }

  /** Waits for queued work, then frees the block. */
  public void free(HostBlock block) {
    live.remove(block);
    device.synchronize();
    if (open) {
      device.check(cuStreamSynchronize(copies), "cuStreamSynchronize");
      Buffer buffer = bufferOf(block);
      if (buffer != null) {
        buffer.holds = null;
      }
    }
    recent.clear();
    successors.clear();
    device.check(cuMemFreeHost(block.pinned()), "cuMemFreeHost");
  }

  /** Waits for queued work, then frees everything. */
  @Override
  public void close() {
    Closing closing = new Closing();
    List.copyOf(live).forEach(block -> closing.step(() -> free(block)));
    if (open) {
      open = false;
      closing.step(device::synchronize);
      closeBuffers(closing);
    }
    closing.finish();
  }

  private void destroy(CUevent_st event) {
    if (!event.isNull()) {
      device.check(cuEventDestroy(event), "cuEventDestroy");
    }
  }

  private void closeBuffers(Closing closing) {
    closing.step(this::freeBuffers);
    for (Buffer buffer : buffers) {
      closing.step(() -> destroy(buffer.filled)).step(() -> destroy(buffer.read));
    }
    closing.step(() -> device.check(cuStreamDestroy(copies), "cuStreamDestroy"));
  }
}
