package io.mola.core.generate;

/**
 * How the next token is chosen.
 *
 * @param temperature 0: greedy, the largest logit, lower id on a tie
 * @param topK sample among the k largest logits; 0: all
 * @param topP sample among the smallest set whose probability reaches p; 1: all
 * @param seed of the counter-based generator: the same seed and logits give the same tokens
 */
public record Sampling(double temperature, int topK, double topP, long seed) {
  /** Greedy decoding. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0);

  /** Checks the ranges. */
  public Sampling {
    if (!(temperature >= 0) || topK < 0 || !(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException(
          "temperature " + temperature + ", top-k " + topK + ", top-p " + topP);
    }
  }
}
