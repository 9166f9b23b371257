package io.mola.core.generate;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Chooses tokens from logits. */
public final class Sampler {
  private final Sampling sampling;
  private final SplittableRandom random;
  private long[] order = {};
  private double[] p = {};

  /** A sampler with its own stream of random numbers. */
  public Sampler(Sampling sampling) {
    this.sampling = sampling;
    random = new SplittableRandom(sampling.seed());
  }

  /**
   * The next token: the largest logit if greedy, otherwise drawn from softmax(logits / temperature)
   * cut by top-k, then top-p. Where the largest is not a finite number, it is the answer.
   */
  public int next(float[] logits) {
    if (sampling.temperature() == 0) {
      return largest(logits);
    }
    sort(logits);
    float first = logits[id(0)];
    if (!Float.isFinite(first)) {
      return id(0);
    }
    int kept = sampling.topK() == 0 ? order.length : Math.min(sampling.topK(), order.length);
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      p[i] = Math.exp((logits[id(i)] - first) / sampling.temperature());
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
        return id(i);
      }
    }
    return id(nucleus - 1);
  }

  /**
   * Puts the ids in the order of their logits, the largest first, the lower id on a tie, NaN before
   * all. A key is the logit's bits, turned so that they ascend as the logits descend, above the id:
   * numbers are sorted many times faster than objects.
   */
  private void sort(float[] logits) {
    if (order.length != logits.length) {
      order = new long[logits.length];
      p = new double[logits.length];
    }
    for (int id = 0; id < logits.length; id++) {
      int bits = Float.floatToIntBits(logits[id]);
      int descending = bits < 0 ? bits ^ Integer.MIN_VALUE : ~bits;
      order[id] = (long) descending << 32 | id;
    }
    Arrays.sort(order);
  }

  private int id(int rank) {
    return (int) order[rank];
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
