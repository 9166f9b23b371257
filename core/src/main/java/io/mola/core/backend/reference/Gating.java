package io.mola.core.backend.reference;

import io.mola.core.backend.Experts.Member;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** Softmax over the K largest logits of each member, and its gradient. */
final class Gating {
  /**
   * Least gate of a chosen expert: where the runner-up is 88 or more below the best, its gate
   * underflows, but it is chosen all the same and {@code gates ≠ 0} must say so.
   */
  private static final double SMALLEST = Float.MIN_NORMAL;

  private Gating() {}

  /** gates [n, E] of logits [n, E]. */
  static double[][] gates(double[][] logits, List<Member> members) {
    double[][] gates = new double[logits.length][];
    for (int t = 0; t < logits.length; t++) {
      gates[t] = new double[logits[t].length];
      for (Member member : members) {
        if (member.isRouted()) {
          row(logits[t], gates[t], member);
        }
      }
    }
    return gates;
  }

  private static void row(double[] logits, double[] gates, Member member) {
    int first = member.expertOffset();
    boolean[] chosen = new boolean[member.experts()];
    double largest = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < member.topK(); k++) {
      int best = indexOfLargest(logits, first, chosen);
      chosen[best] = true;
      largest = Math.max(largest, logits[first + best]);
    }
    double sum = 0;
    for (int e = 0; e < chosen.length; e++) {
      sum += chosen[e] ? Math.exp(logits[first + e] - largest) : 0;
    }
    for (int e = 0; e < chosen.length; e++) {
      double gate = chosen[e] ? Math.exp(logits[first + e] - largest) / sum : 0;
      gates[first + e] = chosen[e] ? Math.max(gate, SMALLEST) : 0;
    }
  }

  /**
   * Index of the largest logit that is not chosen yet, the lowest of equal ones; NaN is largest.
   */
  private static int indexOfLargest(double[] logits, int first, boolean[] chosen) {
    int best = -1;
    for (int e = 0; e < chosen.length; e++) {
      if (!chosen[e]
          && (best < 0
              || Double.compare(logits[first + e] + 0.0, logits[first + best] + 0.0) > 0)) {
        best = e;
      }
    }
    return best;
  }

  /** {@code dLogits[t,e] += gates[t,e] · (dGates[t,e] − Σ_k gates[t,k] · dGates[t,k])}. */
  static void addBackward(double[][] dGates, double[][] gates, Member member, Tensor dLogits) {
    ReferenceTensor target = ReferenceTensor.of(dLogits);
    int first = member.expertOffset();
    for (int t = 0; t < dGates.length; t++) {
      double mean = 0;
      for (int k = 0; k < member.experts(); k++) {
        mean += gates[t][first + k] * dGates[t][k];
      }
      for (int e = 0; e < member.experts(); e++) {
        double d = gates[t][first + e] * (dGates[t][e] - mean);
        target.set(t, first + e, target.get(t, first + e) + d);
      }
    }
  }
}
