package io.mola.testdata.contract;

/** What a backend stores in tensors of type {@code ACTIVATION}. */
public enum Precision {
  /** float32, as on CPUs. */
  FLOAT32,
  /** bfloat16: 8 bits of mantissa. */
  BFLOAT16;

  /**
   * The nearest value that such a tensor holds exactly. Random inputs are rounded by it first, so
   * that a comparison sees the operation's error and not that of storing its inputs.
   */
  float round(float value) {
    if (this == FLOAT32 || !Float.isFinite(value)) {
      return value;
    }
    int bits = Float.floatToRawIntBits(value);
    int roundedToEven = bits + 0x7FFF + (bits >>> 16 & 1);
    return Float.intBitsToFloat(roundedToEven & 0xFFFF0000);
  }
}
