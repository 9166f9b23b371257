package io.mola.perf.gpu;

import static org.bytedeco.cuda.global.cudart.cuCtxSetCurrent;
import static org.bytedeco.cuda.global.cudart.cuCtxSynchronize;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRelease;
import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxRetain;
import static org.bytedeco.cuda.global.cudart.cuInit;
import static org.bytedeco.cuda.global.cudart.cuMemAlloc;
import static org.bytedeco.cuda.global.cudart.cuMemFree;
import static org.bytedeco.cuda.global.cudart.cuMemGetInfo;
import static org.bytedeco.cuda.global.cudart.cuMemsetD16Async;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * The first device beside the backend, for what is measured without it. It holds the context that
 * the backend uses too, which then outlives each backend that is opened meanwhile: making a context
 * takes some tenths of a second. Belongs to the thread that made it.
 */
final class DeviceContext implements AutoCloseable {
  private static final short ONE_HUNDREDTH = 0x3c24; // about 0.01 as bfloat16

  private final List<Long> allocated = new ArrayList<>();

  DeviceContext() {
    CUctx_st context = new CUctx_st();
    check(cuInit(0), "cuInit");
    check(cuDevicePrimaryCtxRetain(context, 0), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
  }

  /** Address of that many bfloat16 numbers, all about 0.01. */
  long allocate(long elements) {
    long[] address = new long[1];
    check(cuMemAlloc(address, 2 * elements), "cuMemAlloc of " + 2 * elements + " bytes");
    allocated.add(address[0]);
    check(cuMemsetD16Async(address[0], ONE_HUNDREDTH, elements, null), "cuMemsetD16Async");
    return address[0];
  }

  /** Bytes of the device that all programs together use now. */
  long usedBytes() {
    try (SizeTPointer free = new SizeTPointer(1);
        SizeTPointer all = new SizeTPointer(1)) {
      check(cuMemGetInfo(free, all), "cuMemGetInfo");
      return all.get() - free.get();
    }
  }

  /** Waits for all queued work. */
  void await() {
    check(cuCtxSynchronize(), "cuCtxSynchronize");
  }

  /**
   * Lets a status pass that is no error.
   *
   * @throws IllegalStateException naming the call
   */
  static void check(int status, String call) {
    if (status != 0) {
      throw new IllegalStateException(call + " returned " + status);
    }
  }

  @Override
  public void close() {
    for (long address : allocated) {
      check(cuMemFree(address), "cuMemFree");
    }
    check(cuDevicePrimaryCtxRelease(0), "cuDevicePrimaryCtxRelease");
  }

  /** A device address as JavaCPP passes pointers; owns nothing. */
  static final class Address extends Pointer {
    Address(long value) {
      address = value;
    }
  }
}
