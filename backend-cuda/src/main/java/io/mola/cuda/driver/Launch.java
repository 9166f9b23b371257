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
 * Enqueues one kernel after the other: {@code launch.of("norm", "rms_forward").address(x).i32(d)
 * .run(rows, threads)}. The block of arguments is made once and reused, so that a launch allocates
 * nothing.
 */
public final class Launch {
  private static final int ARGUMENTS = 32;
  private static final int ARGUMENT_BYTES = 1024;
  private static final int LARGEST_GRID = Integer.MAX_VALUE;

  private final Device device;
  private final Kernels kernels;
  private final boolean synchronous;
  private final MemorySegment values = Arena.ofAuto().allocate(ARGUMENT_BYTES, 16);
  private final MemorySegment pointers = Arena.ofAuto().allocate(8L * ARGUMENTS, 16);
  private final PointerPointer<Pointer> arguments =
      new PointerPointer<>(new Address(pointers.address()));
  private @Nullable Kernel kernel;
  private long used;
  private int count;
  private int shared;

  /**
   * Launches on one device.
   *
   * @param synchronous wait after each kernel, so that a failure names it
   */
  public Launch(Device device, Kernels kernels, boolean synchronous) {
    this.device = device;
    this.kernels = kernels;
    this.synchronous = synchronous;
  }

  /** Starts a launch of that kernel. */
  public Launch of(String group, String name) {
    device.enter();
    kernel = kernels.kernel(group, name);
    used = 0;
    count = 0;
    shared = 0;
    return this;
  }

  /** The next argument: a device address, or a 64-bit integer. */
  public Launch i64(long value) {
    values.set(ValueLayout.JAVA_LONG, slot(Long.BYTES, Long.BYTES), value);
    return this;
  }

  /** The next argument: a 32-bit integer. */
  public Launch i32(int value) {
    values.set(ValueLayout.JAVA_INT, slot(Integer.BYTES, Integer.BYTES), value);
    return this;
  }

  /** The next argument: a truth value, as a 32-bit integer. */
  public Launch flag(boolean value) {
    return i32(value ? 1 : 0);
  }

  /** The next argument: a float. */
  public Launch f32(float value) {
    values.set(ValueLayout.JAVA_FLOAT, slot(Float.BYTES, Float.BYTES), value);
    return this;
  }

  /** The next argument: a double. */
  public Launch f64(double value) {
    values.set(ValueLayout.JAVA_DOUBLE, slot(Double.BYTES, Double.BYTES), value);
    return this;
  }

  /** The next argument: a structure by value, of 4-byte members. */
  public Launch structure(int... words) {
    long at = slot(4 * words.length, 8);
    MemorySegment.copy(words, 0, values, ValueLayout.JAVA_INT, at, words.length);
    return this;
  }

  /** Dynamic shared memory of each block in bytes. */
  public Launch shared(int bytes) {
    shared = bytes;
    return this;
  }

  private long slot(int bytes, int alignment) {
    used = (used + alignment - 1) / alignment * alignment;
    long at = used;
    used += bytes;
    pointers.setAtIndex(ValueLayout.JAVA_LONG, count++, values.address() + at);
    return at;
  }

  /** Enqueues it with that many blocks of that many threads. */
  public void run(long blocks, int threads) {
    run(blocks, 1, threads);
  }

  /** Enqueues it with a grid of {@code x * y} blocks; an empty grid does nothing. */
  public void run(long x, int y, int threads) {
    Kernel launched = kernel;
    if (launched == null) {
      throw new IllegalStateException("no kernel was named");
    }
    kernel = null;
    if (x == 0 || y == 0) {
      return;
    }
    if (x > LARGEST_GRID || y > 65_535) {
      throw new CudaException(
          launched.name() + " would need a grid of " + x + " x " + y + ": use a smaller batch");
    }
    if (launched.raisesSharedLimit(shared)) {
      device.check(
          cuFuncSetAttribute(
              launched.function(), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared),
          "cuFuncSetAttribute of " + launched.name() + " to " + shared + " bytes");
    }
    int status =
        cuLaunchKernel(
            launched.function(),
            (int) x,
            y,
            1,
            threads,
            1,
            1,
            shared,
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
