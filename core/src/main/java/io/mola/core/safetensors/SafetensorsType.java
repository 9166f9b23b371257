package io.mola.core.safetensors;

import io.mola.core.quant.QuantType;
import java.util.Optional;

/** Element types of the safetensors format that mola reads and writes as weights. */
public enum SafetensorsType {
  /** float32. */
  F32(QuantType.F32),
  /** IEEE half. */
  F16(QuantType.F16),
  /** The upper half of a float32. */
  BF16(QuantType.BF16);

  private final QuantType quantType;

  SafetensorsType(QuantType quantType) {
    this.quantType = quantType;
  }

  /** The same encoding as mola's own type. */
  public QuantType quantType() {
    return quantType;
  }

  /** The type of that name in a header, if mola reads it. */
  public static Optional<SafetensorsType> ofName(String name) {
    for (SafetensorsType type : values()) {
      if (type.name().equals(name)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
