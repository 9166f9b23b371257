package io.mola.core.adapter;

import io.mola.core.quant.QuantType;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;

/** Shapes of models, without weights. */
final class Models {
  static final ModelConfig LLAMA_2_7B = model(4096, 11008, 32, 32, 32, 128);
  static final ModelConfig MISTRAL_7B = model(4096, 14336, 32, 32, 8, 128);
  static final ModelConfig GEMMA_7B = model(3072, 24576, 28, 16, 16, 256);
  static final ModelConfig SMOLLM2_135M = model(576, 1536, 30, 9, 3, 64);

  private Models() {}

  static ModelConfig model(
      int hidden, int intermediate, int layers, int heads, int kvHeads, int headDim) {
    return new ModelConfig(
        "llama",
        hidden,
        intermediate,
        layers,
        heads,
        kvHeads,
        headDim,
        32000,
        1e-5,
        new Rope(10000, new Rope.Plain()),
        4096,
        0,
        false,
        QuantType.F32);
  }
}
