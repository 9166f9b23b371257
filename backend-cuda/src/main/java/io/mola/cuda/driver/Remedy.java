package io.mola.cuda.driver;

/** What a person can do about a status. */
final class Remedy {
  /** CUDA_ERROR_OUT_OF_MEMORY. */
  static final int OUT_OF_MEMORY = 2;

  /** CUDA_ERROR_NO_BINARY_FOR_GPU, where a cached cubin is of another architecture or damaged. */
  static final int NO_BINARY = 209;

  private Remedy() {}

  /** The remedy for a driver status. */
  static String of(int status) {
    return switch (status) {
      case OUT_OF_MEMORY ->
          "lower --micro-batch-size or --cutoff-len, or free memory of the device (nvidia-smi)";
      case 100, 101 -> "check nvidia-smi and CUDA_VISIBLE_DEVICES";
      case 200, NO_BINARY, 218, 222 -> "empty the kernel cache, and update the driver and NVRTC";
      case 214, 220, 226 -> "the device reports a hardware fault: check nvidia-smi -q and dmesg";
      case 700, 714, 715, 716, 717, 718, 719 ->
          "continue from the last checkpoint; set mola.cuda.synchronous=true to find the kernel";
      case 702 -> "a kernel ran into the display's time limit: use a device without a display";
      case 802, 803 -> "restart the machine after the driver's update";
      default -> "set mola.cuda.synchronous=true to find the kernel, or use --backend simd";
    };
  }

  /** Whether the device is unusable for the rest of the process after this status. */
  static boolean isSticky(int status) {
    return switch (status) {
      case 214, 220, 226, 700, 702, 714, 715, 716, 717, 718, 719, 999 -> true;
      default -> false;
    };
  }
}
