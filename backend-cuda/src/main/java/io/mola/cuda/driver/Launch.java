package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static org.bytedeco.cuda.global.cudart.cuFuncSetAttribute;
import static org.bytedeco.cuda.global.cudart.cuLaunchKernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/**
 * Queues one kernel after the other: {@code launch.of("norm",
 * "rms_forward").i64(x).i32(d).run(rows, threads)}. Blocks of arguments are made once and reused,
 * so that a launch allocates nothing.
 */
public final class Launch {
  private static final int ARGUMENTS = 32;
  private static final int ARGUMENT_WORDS = 128;
  private static final int LARGEST_GRID = Integer.MAX_VALUE;
  private static final int LARGEST_GRID_Y = 65_535;

  // Words of a command: these, then the arguments' words, then where each argument starts in them.
  private static final int KERNEL = 0;
  private static final int GRID_X = 1;
  private static final int GRID_Y = 2;
  private static final int THREADS = 3;
  private static final int SHARED = 4;
  private static final int COUNT = 5;
  private static final int WORDS = 6;
  private static final int HEADER = 7;

  private final Device device;
  private final Kernels kernels;
  private final Varying varying;
  private final boolean synchronous;
  private final MemorySegment values = Arena.ofAuto().allocate(8L * ARGUMENT_WORDS, 16);
  private final MemorySegment pointers = Arena.ofAuto().allocate(8L * ARGUMENTS, 16);
  private final PointerPointer<Pointer> arguments =
      new PointerPointer<>(new Address(pointers.address()));
  private final long[] command = new long[HEADER + ARGUMENT_WORDS + ARGUMENTS];
  private final int[] starts = new int[ARGUMENTS];
  private @Nullable Kernel kernel;
  private int used;
  private int count;
  private int shared;

  /**
   * Launches on one device.
   *
   * @param synchronous wait after each kernel, so that a failure names it
   */
  public Launch(Device device, Kernels kernels, Varying varying, boolean synchronous) {
    this.device = device;
    this.kernels = kernels;
    this.varying = varying;
    this.synchronous = synchronous;
    device.queue().define(Queue.Kind.KERNEL, this::enqueue);
  }

  /** Starts a launch of that kernel. */
  public Launch of(String group, String name) {
    device.enter();
    varying.makeRoom(ARGUMENTS);
    kernel = kernels.kernel(group, name);
    used = 0;
    count = 0;
    shared = 0;
    return this;
  }

  /** The next argument: a device address, or a 64-bit integer. */
  public Launch i64(long value) {
    starts[count++] = used;
    command[HEADER + used++] = value;
    return this;
  }

  /** The next argument: a 32-bit integer. */
  public Launch i32(int value) {
    return i64(Integer.toUnsignedLong(value));
  }

  /** The next argument: a truth value, as a 32-bit integer. */
  public Launch flag(boolean value) {
    return i32(value ? 1 : 0);
  }

  /** The next argument: a float. */
  public Launch f32(float value) {
    return i32(Float.floatToRawIntBits(value));
  }

  /** The next argument: a double. */
  public Launch f64(double value) {
    return i64(Double.doubleToRawLongBits(value));
  }

  /** The next argument: the address of a 64-bit integer that changes from step to step. */
  public Launch varyingI64(long value) {
    return i64(varying.addressOf(value));
  }

  /** The next argument: the address of a double that changes from step to step. */
  public Launch varyingF64(double value) {
    return i64(varying.addressOf(Double.doubleToRawLongBits(value)));
  }

  /** The next argument: a structure by value, of 4-byte members. */
  public Launch structure(int... members) {
    starts[count++] = used;
    for (int i = 0; i < members.length; i += 2) {
      long high = i + 1 < members.length ? members[i + 1] : 0;
      command[HEADER + used++] = high << Integer.SIZE | Integer.toUnsignedLong(members[i]);
    }
    return this;
  }

  /** Dynamic shared memory of each block in bytes. */
  public Launch shared(int bytes) {
    shared = bytes;
    return this;
  }

  /** Queues it with that many blocks of that many threads. */
  public void run(long blocks, int threads) {
    run(blocks, 1, threads);
  }

  /** Queues it with a grid of {@code x * y} blocks; an empty grid does nothing. */
  public void run(long x, int y, int threads) {
    Kernel launched = kernel;
    if (launched == null) {
      throw new IllegalStateException("no kernel was named");
    }
    kernel = null;
    if (x == 0 || y == 0) {
      return;
    }
    if (x > LARGEST_GRID || y > LARGEST_GRID_Y) {
      throw new CudaException(
          launched.name() + " would need a grid of " + x + " x " + y + ": use a smaller batch");
    }
    if (launched.raisesSharedLimit(shared)) {
      device.check(
          cuFuncSetAttribute(
              launched.function(), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared),
          "cuFuncSetAttribute of " + launched.name() + " to " + shared + " bytes");
    }
    command[KERNEL] = launched.number();
    command[GRID_X] = x;
    command[GRID_Y] = y;
    command[THREADS] = threads;
    command[SHARED] = shared;
    command[COUNT] = count;
    command[WORDS] = used;
    for (int i = 0; i < count; i++) {
      command[HEADER + used + i] = starts[i];
    }
    varying.beforeCommand();
    device.queue().add(Queue.Kind.KERNEL, command, HEADER + used + count);
  }

  private void enqueue(long[] words, int at) {
    Kernel launched = kernels.numbered((int) words[at + KERNEL]);
    int size = (int) words[at + WORDS];
    MemorySegment.copy(words, at + HEADER, values, ValueLayout.JAVA_LONG, 0, size);
    for (int i = 0; i < words[at + COUNT]; i++) {
      long start = words[at + HEADER + size + i];
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + Long.BYTES * start);
    }
    int status =
        cuLaunchKernel(
            launched.function(),
            (int) words[at + GRID_X],
            (int) words[at + GRID_Y],
            1,
            (int) words[at + THREADS],
            1,
            1,
            (int) words[at + SHARED],
            device.stream(),
            arguments,
            null);
    if (status != 0) {
      device.check(status, "cuLaunchKernel of " + launched.name());
    }
    if (synchronous) {
      device.synchronize();
    }
  }
}
