package io.mola.core.backend;

import io.mola.core.quant.QuantType;

/**
 * A frozen matrix [out, in] of a planned run.
 *
 * @param type encoding in the file
 * @param out rows
 * @param in columns
 * @param uses operations that read it in the forward and backward pass of a micro-batch, where
 *     operations one behind the other count once
 */
public record FrozenUse(QuantType type, int out, int in, int uses) {
  /** Bytes in the file's encoding. */
  public long encodedBytes() {
    return type.rowBytes(in) * out;
  }
}
