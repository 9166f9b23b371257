package io.mola.gguf;

import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.function.Consumer;

/** Opens models and decodes their matrices in canonical order. */
final class Weights {
  private Weights() {}

  static void with(Path path, Consumer<WeightSource> use) {
    var format = new GgufFormat();
    try (WeightSource source =
        format.recognises(path) ? format.open(path) : new CheckpointFormat().open(path)) {
      use.accept(source);
    }
  }

  static float[] decoded(WeightSource source, String canonicalName) {
    StoredMatrix matrix = source.find(canonicalName).orElseThrow();
    float[] values = new float[matrix.out() * matrix.in()];
    for (int row = 0; row < matrix.out(); row++) {
      RowDecoder.decodeRow(matrix, row, values, row * matrix.in());
    }
    return values;
  }
}
