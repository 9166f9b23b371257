package io.mola.cli;

import io.mola.core.model.Projection;
import io.mola.core.weights.ModelConfig;

/** Size of a model of which only the config.json is at hand. */
final class ModelSize {
  private ModelSize() {}

  /** Bytes of its files: all matrices in the encoding that the config names, norms as float32. */
  static long bytes(ModelConfig config) {
    long table = (long) config.vocabularySize() * config.hiddenSize();
    long elements = config.tiedEmbeddings() ? table : 2 * table;
    for (Projection projection : Projection.values()) {
      elements += (long) config.layers() * projection.in(config) * projection.out(config);
    }
    long norms = (2L * config.layers() + 1) * config.hiddenSize();
    return elements * config.weightType().blockBytes() / config.weightType().blockLength()
        + Float.BYTES * norms;
  }
}
