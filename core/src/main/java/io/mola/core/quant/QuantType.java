package io.mola.core.quant;

import java.util.Optional;

/**
 * Element encodings of frozen weights: one row per type. A row of a matrix is a run of whole
 * blocks. Layouts follow ggml; the file ids are those of GGUF.
 */
public enum QuantType {
  /** float32. */
  F32(0, 1, 4),
  /** IEEE half. */
  F16(1, 1, 2),
  /** 32 values: half scale d; q in 0..15; value d (q - 8). */
  Q4_0(2, 32, 18),
  /** 32 values: half d, half m; q in 0..15; value d q + m. */
  Q4_1(3, 32, 20),
  /** 32 values: half d, 32 high bits; q in 0..31; value d (q - 16). */
  Q5_0(6, 32, 22),
  /** 32 values: half d, half m, 32 high bits; q in 0..31; value d q + m. */
  Q5_1(7, 32, 24),
  /** 32 values: half d, signed bytes; value d q. */
  Q8_0(8, 32, 34),
  /** 256 values in 8 sub-blocks of 32 with 6-bit scales and minima; q in 0..15. */
  Q4_K(12, 256, 144),
  /** 256 values in 8 sub-blocks of 32 with 6-bit scales and minima; q in 0..31. */
  Q5_K(13, 256, 176),
  /** 256 values in 16 sub-blocks of 16 with signed 8-bit scales; q in 0..63; value d s (q - 32). */
  Q6_K(14, 256, 210),
  /** The upper half of a float32. */
  BF16(30, 1, 2);

  private final int ggufId;
  private final int blockLength;
  private final int blockBytes;

  QuantType(int ggufId, int blockLength, int blockBytes) {
    this.ggufId = ggufId;
    this.blockLength = blockLength;
    this.blockBytes = blockBytes;
  }

  /** Type number in GGUF files. */
  public int ggufId() {
    return ggufId;
  }

  /** Elements per block. */
  public int blockLength() {
    return blockLength;
  }

  /** Bytes per block. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Whether elements share scales (anything but F32, F16, BF16). */
  public boolean isQuantised() {
    return blockLength > 1;
  }

  /** Bytes of a row of {@code cols} elements; {@code cols} must be a multiple of the block. */
  public long rowBytes(int cols) {
    if (cols % blockLength != 0) {
      throw new IllegalArgumentException(
          "row length "
              + cols
              + " is not a multiple of the block size "
              + blockLength
              + " of "
              + this);
    }
    return (long) (cols / blockLength) * blockBytes;
  }

  /** The type of that GGUF id, if mola reads it. */
  public static Optional<QuantType> ofGgufId(int id) {
    for (QuantType type : values()) {
      if (type.ggufId == id) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
