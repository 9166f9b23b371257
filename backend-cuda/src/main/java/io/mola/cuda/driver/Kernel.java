package io.mola.cuda.driver;

import org.bytedeco.cuda.cudart.CUfunc_st;

/** A loaded kernel. */
final class Kernel {
  /** Dynamic shared memory that a block may have without asking, beside up to 8 KiB of static. */
  static final int SHARED_BYTES = 40 << 10;

  private final int number;
  private final String name;
  private final CUfunc_st function;
  private int sharedLimit = SHARED_BYTES;

  Kernel(int number, String name, CUfunc_st function) {
    this.number = number;
    this.name = name;
    this.function = function;
  }

  /** Its place among the loaded kernels. */
  int number() {
    return number;
  }

  String name() {
    return name;
  }

  CUfunc_st function() {
    return function;
  }

  /** Whether that much dynamic shared memory was not asked for yet; it is after this call. */
  boolean raisesSharedLimit(int bytes) {
    if (bytes <= sharedLimit) {
      return false;
    }
    sharedLimit = bytes;
    return true;
  }
}
