package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static org.bytedeco.cuda.global.cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static org.bytedeco.cuda.global.cudart.CU_STREAM_NON_BLOCKING;
import static org.bytedeco.cuda.global.cudart.cuCtxSetCurrent;
import static org.bytedeco.cuda.global.cudart.cuDeviceGet;
import static org.bytedeco.cuda.global.cudart.cuDeviceGetAttribute;
import static org.bytedeco.cuda.global.cudart.cuDeviceGetName;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRelease;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRetain;
import static org.bytedeco.cuda.global.cudart.cuGetErrorName;
import static org.bytedeco.cuda.global.cudart.cuInit;
import static org.bytedeco.cuda.global.cudart.cuMemAlloc;
import static org.bytedeco.cuda.global.cudart.cuMemFree;
import static org.bytedeco.cuda.global.cudart.cuMemGetInfo;
import static org.bytedeco.cuda.global.cudart.cuMemcpyDtoDAsync;
import static org.bytedeco.cuda.global.cudart.cuMemsetD8Async;
import static org.bytedeco.cuda.global.cudart.cuStreamCreate;
import static org.bytedeco.cuda.global.cudart.cuStreamDestroy;
import static org.bytedeco.cuda.global.cudart.cuStreamSynchronize;

import io.mola.core.failure.UsageException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.jspecify.annotations.Nullable;

/**
 * One device: its primary context, one stream on which everything is queued in order, and its
 * memory. Waits only where a method says so.
 */
public final class Device implements AutoCloseable {
  static {
    // By default JavaCPP refuses to allocate once the whole process is larger than the Java heap's
    // limit; mappings of model files make it so. It must be said before the first Pointer.
    System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    System.setProperty("org.bytedeco.javacpp.noPointerGC", "true");
  }

  /** The first with bfloat16 conversions and tensor cores. */
  private static final int OLDEST_ARCHITECTURE = 80;

  private final int ordinal;
  private final Queue queue;
  private final CUctx_st context = new CUctx_st();
  private final CUstream_st stream = new CUstream_st();
  private String name = "device";
  private int architecture;
  private @Nullable Thread current;
  private @Nullable String lost;

  /** Addresses of allocations, and their bytes. */
  private final Map<Long, Long> live = new LinkedHashMap<>();

  private long allocated;
  private long mostAllocated;
  private BooleanSupplier shortage = () -> false;
  private Supplier<String> operation = () -> "opening the device";

  /**
   * Opens the device of that number.
   *
   * @param recording whether sequences of work that come again are recorded as graphs
   */
  public Device(int ordinal, boolean recording) {
    this.ordinal = ordinal;
    this.queue = new Queue(this, recording);
    queue.define(Queue.Kind.ZERO, this::enqueueZero);
    queue.define(Queue.Kind.COPY, this::enqueueCopy);
    int[] device = new int[1];
    check(cuInit(0), "cuInit");
    check(cuDeviceGet(device, ordinal), "cuDeviceGet");
    byte[] text = new byte[256];
    check(cuDeviceGetName(text, text.length, device[0]), "cuDeviceGetName");
    name = new String(text, StandardCharsets.UTF_8).replace("\0", "").strip();
    architecture =
        10 * attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device[0])
            + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device[0]);
    if (architecture < OLDEST_ARCHITECTURE) {
      throw new UsageException(
          label() + " is older than sm_" + OLDEST_ARCHITECTURE + " (Ampere): use --backend simd");
    }
    check(cuDevicePrimaryCtxRetain(context, device[0]), "cuDevicePrimaryCtxRetain");
    try {
      enter();
      check(cuStreamCreate(stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    } catch (RuntimeException e) {
      throw Closing.after(
          e, () -> check(cuDevicePrimaryCtxRelease(ordinal), "cuDevicePrimaryCtxRelease"));
    }
  }

  /** As the driver names it. */
  public String name() {
    return name;
  }

  /** Compute capability: 90 for sm_90. */
  public int architecture() {
    return architecture;
  }

  /** Whether an error made it unusable for the rest of the process, or it was closed. */
  public boolean isLost() {
    return lost != null;
  }

  /** The way to the stream. */
  public Queue queue() {
    return queue;
  }

  CUstream_st stream() {
    return stream;
  }

  /** Says what the calls that follow compute, for messages; evaluated only on failure. */
  public void operation(Supplier<String> description) {
    operation = description;
  }

  /**
   * Makes the context current on the calling thread, if it is not yet.
   *
   * @throws CudaException if the device was lost
   */
  void enter() {
    if (lost != null) {
      throw new CudaException(lost);
    }
    Thread thread = Thread.currentThread();
    if (thread != current) {
      if (thread.isVirtual()) {
        throw new IllegalStateException(
            "CUDA contexts belong to platform threads: call from one instead of " + thread);
      }
      check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
      current = thread;
    }
  }

  /** Waits until everything queued has finished. */
  public void synchronize() {
    enter();
    queue.flush();
    check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  }

  /**
   * Device memory, aligned to 256 bytes, with unknown content.
   *
   * @param purpose what it is for, in the message if there is not enough
   */
  public long allocate(long bytes, Supplier<String> purpose) {
    enter();
    long[] address = new long[1];
    int status = cuMemAlloc(address, bytes);
    while (status == Remedy.OUT_OF_MEMORY && (queue.forgetGraphs() || shortage.getAsBoolean())) {
      status = cuMemAlloc(address, bytes);
    }
    if (status == Remedy.OUT_OF_MEMORY) {
      throw new CudaException(
          "%s needs %,d MiB of %s, which has %,d MiB free: %s"
              .formatted(
                  purpose.get(),
                  (bytes >> 20) + 1,
                  label(),
                  freeBytes() >> 20,
                  Remedy.of(Remedy.OUT_OF_MEMORY)));
    }
    check(status, "cuMemAlloc of " + bytes + " bytes");
    live.put(address[0], bytes);
    allocated += bytes;
    mostAllocated = Math.max(mostAllocated, allocated);
    return address[0];
  }

  /** Most device memory that was allocated at a time. */
  public long mostAllocatedBytes() {
    return mostAllocated;
  }

  /** What frees device memory where an allocation finds too little; false if nothing is left. */
  public void onShortage(BooleanSupplier free) {
    shortage = free;
  }

  /** Bytes that are free now. */
  public long freeBytes() {
    return memory(true);
  }

  /** Bytes that the device has. */
  public long totalBytes() {
    return memory(false);
  }

  private long memory(boolean free) {
    enter();
    try (SizeTPointer left = new SizeTPointer(1);
        SizeTPointer all = new SizeTPointer(1)) {
      check(cuMemGetInfo(left, all), "cuMemGetInfo");
      return free ? left.get() : all.get();
    }
  }

  /** Waits for queued work, then frees; nothing is left to free once the device is lost. */
  public void free(long address) {
    @Nullable Long bytes = lost == null ? live.remove(address) : null;
    if (bytes != null) {
      allocated -= bytes;
      new Closing()
          .step(this::synchronize)
          .step(() -> check(cuMemFree(address), "cuMemFree"))
          .finish();
    }
  }

  /** Queues zeroing. */
  public void zero(long address, long bytes) {
    if (bytes > 0) {
      enter();
      queue.add(Queue.Kind.ZERO, new long[] {address, bytes}, 2);
    }
  }

  private void enqueueZero(long[] words, int at) {
    check(cuMemsetD8Async(words[at], (byte) 0, words[at + 1], stream), "cuMemsetD8Async");
  }

  /** Queues a copy within the device. */
  public void copy(long from, long to, long bytes) {
    if (bytes > 0) {
      enter();
      queue.add(Queue.Kind.COPY, new long[] {from, to, bytes}, 3);
    }
  }

  private void enqueueCopy(long[] words, int at) {
    check(cuMemcpyDtoDAsync(words[at + 1], words[at], words[at + 2], stream), "cuMemcpyDtoDAsync");
  }

  /** Throws if a driver call failed, with what was computed and a remedy. */
  void check(int status, String call) {
    if (status != 0) {
      throw failure(call, errorName(status), Remedy.of(status), Remedy.isSticky(status));
    }
  }

  /** The exception for a failed call; after a sticky one the device refuses everything. */
  CudaException failure(String call, String error, String remedy, boolean sticky) {
    String message =
        "%s failed on %s: %s returned %s; %s"
            .formatted(operation.get(), label(), call, error, remedy);
    if (sticky) {
      lost = message;
    }
    return new CudaException(message);
  }

  /** Name and architecture, for messages. */
  public String label() {
    return architecture == 0 ? name : name + " (sm_" + architecture + ")";
  }

  private static String errorName(int status) {
    try (PointerPointer<BytePointer> text = new PointerPointer<>(1)) {
      int found = cuGetErrorName(status, text);
      return found == 0 ? text.getString(0) + " (" + status + ")" : "error " + status;
    }
  }

  private int attribute(int attribute, int device) {
    int[] value = new int[1];
    check(cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
    return value[0];
  }

  /** Waits, then destroys the stream and leaves the context. A lost device is only left. */
  @Override
  public void close() {
    operation = () -> "closing the device";
    if (lost == null) {
      Closing closing = new Closing().step(this::synchronize).step(queue::close);
      // whoever failed while it started could not give back everything
      List.copyOf(live.keySet()).forEach(address -> closing.step(() -> free(address)));
      closing
          .step(() -> check(cuStreamDestroy(stream), "cuStreamDestroy"))
          .step(() -> check(cuDevicePrimaryCtxRelease(ordinal), "cuDevicePrimaryCtxRelease"));
      lost = "the CUDA backend is closed";
      closing.finish();
    }
  }
}
