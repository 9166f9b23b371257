package io.mola.perf.layer;

import io.mola.core.backend.AttentionShape;

/**
 * Sizes of a model's block and of a batch.
 *
 * @param hidden columns between blocks
 * @param wide columns within the feed-forward part
 * @param attention heads
 * @param vocabulary rows of the head
 * @param parameters trained
 * @param segments sequences in the batch
 * @param length of each in tokens
 */
record LayerShape(
    String name,
    int hidden,
    int wide,
    AttentionShape attention,
    int vocabulary,
    int parameters,
    int segments,
    int length) {

  /** SmolLM2-135M on eight short sequences, experts 2-4-6-8: most operands fit the inner caches. */
  static final LayerShape SMALL =
      new LayerShape("smollm2", 576, 1536, heads(9, 3, 64), 49_152, 12_614_400, 8, 82);

  /** TinyLlama 1.1B on four sequences of 512: nothing fits them. */
  static final LayerShape LARGE =
      new LayerShape("tinyllama", 2048, 5632, heads(32, 4, 64), 32_000, 25_000_000, 4, 512);

  private static AttentionShape heads(int heads, int kvHeads, int headDim) {
    return new AttentionShape(heads, kvHeads, headDim, Integer.MAX_VALUE);
  }

  static LayerShape named(String name) {
    return switch (name) {
      case "smollm2" -> SMALL;
      case "tinyllama" -> LARGE;
      default -> throw new IllegalArgumentException(name + " is neither smollm2 nor tinyllama");
    };
  }

  /** So few rows of everything that the reference backend computes them in a second. */
  LayerShape reduced() {
    return new LayerShape(name, hidden, wide, attention, 1000, 10_007, 2, 17);
  }

  int tokens() {
    return segments * length;
  }

  /** Pairs of a token and one that it sees. */
  double pairs() {
    return segments * (length * (length + 1.0) / 2);
  }
}
