package io.mola.perf.gpu;

import io.mola.core.quant.QuantType;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import java.util.Locale;

/** Sizes of models that are measured. */
enum BaseShape {
  /** For trying the measurement itself. */
  TINY(256, 512, 4, 4, 2, 256, 2),
  /** TinyLlama 1.1B. */
  ONE_BILLION(2048, 5632, 22, 32, 4, 32_000, 8),
  /** Llama 2 7B. */
  SEVEN_BILLION(4096, 11_008, 32, 32, 32, 32_000, 4);

  final int hidden;
  final int wide;
  final int layers;
  final int heads;
  final int kvHeads;
  final int vocabulary;

  /** Sequences that a step trains on. */
  final int sequences;

  BaseShape(
      int hidden, int wide, int layers, int heads, int kvHeads, int vocabulary, int sequences) {
    this.hidden = hidden;
    this.wide = wide;
    this.layers = layers;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.vocabulary = vocabulary;
    this.sequences = sequences;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  int headDim() {
    return hidden / heads;
  }

  ModelConfig config(QuantType type) {
    return new ModelConfig(
        "llama",
        hidden,
        wide,
        layers,
        heads,
        kvHeads,
        headDim(),
        vocabulary,
        1e-5,
        new Rope(10_000, new Rope.Plain()),
        4096,
        0,
        false,
        type);
  }

  /** Elements of the matrices that a token is multiplied with, head included, table not. */
  long multipliedParameters() {
    long key = (long) kvHeads * headDim();
    long layer = (long) hidden * (2L * hidden + 2 * key + 3L * wide);
    return layers * layer + (long) vocabulary * hidden;
  }

  /**
   * Floating-point operations of the model per token, without its adapters and without what is
   * computed twice to save memory: two per parameter forward and two for the gradient of the input
   * (frozen matrices have none of their own); attention over on average {@code length / 2} tokens,
   * two products forward and five backward.
   */
  double flopsPerToken(int length) {
    double attention = 7.0 * 2 * (length / 2.0) * hidden * layers;
    return 4.0 * multipliedParameters() + attention;
  }
}
