package io.mola.cli;

import io.mola.core.weights.WeightSource;
import org.jspecify.annotations.Nullable;

/** The fingerprint of the base model: a pass over its file, made once, when first asked for. */
final class BaseFingerprint {
  private final WeightSource source;
  private @Nullable String value;

  BaseFingerprint(WeightSource source) {
    this.source = source;
  }

  /** As {@link WeightSource#fingerprint}. */
  String value() {
    if (value == null) {
      value = source.fingerprint();
    }
    return value;
  }
}
