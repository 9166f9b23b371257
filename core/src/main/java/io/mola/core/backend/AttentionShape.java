package io.mola.core.backend;

/**
 * Heads of an attention layer.
 *
 * @param heads h query heads
 * @param kvHeads g key-value heads; query head i reads key-value head i / (h / g)
 * @param headDim c
 * @param window sliding window: a token sees itself and the {@code window - 1} rows before it;
 *     {@link Integer#MAX_VALUE}: no window
 */
public record AttentionShape(int heads, int kvHeads, int headDim, int window) {
  /** Checks divisibility. */
  public AttentionShape {
    if (heads < 1
        || kvHeads < 1
        || heads % kvHeads != 0
        || headDim < 2
        || headDim % 2 != 0
        || window < 1) {
      throw new IllegalArgumentException(
          heads + " heads, " + kvHeads + " kv heads, head dim " + headDim + ", window " + window);
    }
  }

  /** h·c: columns of q. */
  public int queryWidth() {
    return heads * headDim;
  }

  /** g·c: columns of k and v. */
  public int keyWidth() {
    return kvHeads * headDim;
  }

  /** Factor of the scores: 1/sqrt(c). */
  public float scale() {
    return (float) (1 / Math.sqrt(headDim));
  }
}
