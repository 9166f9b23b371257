package io.mola.simd;

import io.mola.core.backend.Experts.Member;
import io.mola.simd.lanes.Exponential;
import java.util.Arrays;
import java.util.List;

/** Softmax over the K largest logits of each router, and its gradient, for a run of rows. */
final class Gates {
  /** Its exponential, 4e-38, stays a normal number when a gate is divided by a sum of up to 3. */
  private static final float LOWEST = -86.3f;

  private Gates() {}

  /**
   * {@code gates = softmax over the K largest logits, else 0}; of equal logits the lower index
   * wins, NaN counts as largest.
   *
   * @param first first row, {@code rows} their number
   */
  static void forward(
      List<Member> members, SimdTensor logits, SimdTensor gates, int first, int rows) {
    float[] g = gates.data();
    int from = gates.at(first);
    int size = rows * gates.cols();
    Arrays.fill(g, from, from + size, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.isRouted()) {
        for (int t = first; t < first + rows; t++) {
          int offset = member.expertOffset();
          choose(member, logits.data(), logits.at(t) + offset, g, gates.at(t) + offset);
        }
      }
    }
    exponentials(g, from, size);
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.isRouted()) {
        for (int t = first; t < first + rows; t++) {
          normalise(g, gates.at(t) + member.expertOffset(), member.experts());
        }
      }
    }
  }

  /**
   * {@code g = exp(g)}, at least the smallest normal number for a chosen expert: it is chosen all
   * the same, and {@code gates ≠ 0} must say so.
   */
  private static void exponentials(float[] g, int from, int size) {
    for (int i = from; i < from + size; i++) {
      if (g[i] < LOWEST && g[i] > Float.NEGATIVE_INFINITY) {
        g[i] = LOWEST;
      }
    }
    Exponential.apply(g, from, size);
  }

  /** Enters the K largest logits less the largest, one after the other. */
  private static void choose(Member member, float[] logits, int from, float[] gates, int to) {
    float largest = 0;
    for (int k = 0; k < member.topK(); k++) {
      int best = -1;
      for (int e = 0; e < member.experts(); e++) {
        // not chosen yet, and larger: adding 0 makes -0 and 0 equal
        if (gates[to + e] == Float.NEGATIVE_INFINITY
            && (best < 0 || Float.compare(logits[from + e] + 0f, logits[from + best] + 0f) > 0)) {
          best = e;
        }
      }
      if (k == 0) {
        largest = logits[from + best];
      }
      // a finite mark even where the logit is infinitely small: it is chosen
      float shifted = logits[from + best] - largest;
      gates[to + best] = shifted == Float.NEGATIVE_INFINITY ? -Float.MAX_VALUE : shifted;
    }
  }

  private static void normalise(float[] gates, int from, int experts) {
    float sum = 0;
    for (int e = 0; e < experts; e++) {
      sum += gates[from + e];
    }
    for (int e = 0; e < experts; e++) {
      gates[from + e] /= sum;
    }
  }

  /** {@code dLogits[e] += gates[e] · (dGates[e] − Σ_k gates[k] · dGates[k])} of one router. */
  static void backward(
      int experts, float[] dGates, int dg, float[] gates, int g, float[] dLogits, int to) {
    float mean = 0;
    for (int k = 0; k < experts; k++) {
      mean = Math.fma(gates[g + k], dGates[dg + k], mean);
    }
    for (int e = 0; e < experts; e++) {
      dLogits[to + e] += gates[g + e] * (dGates[dg + e] - mean);
    }
  }
}
