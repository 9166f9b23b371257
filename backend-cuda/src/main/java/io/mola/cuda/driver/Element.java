package io.mola.cuda.driver;

/** How one number lies in device memory. */
public enum Element {
  /** float32. */
  F32(4, 0),
  /** bfloat16: the upper half of a float32. */
  BF16(2, 14);

  private final int bytes;
  private final int cudaType;

  Element(int bytes, int cudaType) {
    this.bytes = bytes;
    this.cudaType = cudaType;
  }

  /** Size in bytes. */
  public int bytes() {
    return bytes;
  }

  /** CUDA_R_32F or CUDA_R_16BF, as cuBLAS takes it. */
  int cudaType() {
    return cudaType;
  }

  /** The nearest bfloat16, ties to even; NaN stays NaN. Kernels round alike. */
  public static short toBf16(float value) {
    if (Float.isNaN(value)) {
      return 0x7fff;
    }
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
  }

  /** The value of a bfloat16. */
  public static float ofBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }
}
