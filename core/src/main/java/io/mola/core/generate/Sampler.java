package io.mola.core.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Chooses tokens from logits. */
public final class Sampler {
  private final Sampling sampling;
  private final SplittableRandom random;

  /** A sampler with its own stream of random numbers. */
  public Sampler(Sampling sampling) {
    this.sampling = sampling;
    random = new SplittableRandom(sampling.seed());
  }

  /**
   * The next token: the largest logit if greedy, otherwise drawn from softmax(logits / temperature)
   * cut by top-k, then top-p.
   */
  public int next(float[] logits) {
    if (sampling.temperature() == 0) {
      return largest(logits);
    }
    Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
    Arrays.sort(
        order, Comparator.comparingDouble((Integer id) -> -logits[id]).thenComparingInt(id -> id));
    int kept = sampling.topK() == 0 ? order.length : Math.min(sampling.topK(), order.length);
    double[] p = new double[kept];
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      p[i] = Math.exp((logits[order[i]] - logits[order[0]]) / sampling.temperature());
      sum += p[i];
    }
    double limit = sampling.topP() * sum;
    double mass = 0;
    int nucleus = 0;
    while (nucleus < kept && mass < limit) {
      mass += p[nucleus++];
    }
    double at = random.nextDouble() * mass;
    for (int i = 0; i < nucleus; i++) {
      at -= p[i];
      if (at < 0) {
        return order[i];
      }
    }
    return order[nucleus - 1];
  }

  private static int largest(float[] logits) {
    int best = 0;
    for (int id = 1; id < logits.length; id++) {
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }
}
