package io.mola.core.tensor;

/** What one element of a planned buffer is. */
public enum ElementType {
  /** float32: adapters, gradients, optimiser state, reductions. */
  F32(4),
  /** int32: token ids, positions, rows. */
  I32(4),
  /** The backend's activation type: float32 on CPU, bfloat16 on CUDA. */
  ACTIVATION(4);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** Size in bytes on a float32 backend. */
  public int bytes() {
    return bytes;
  }
}
