package io.mola.testdata.contract;

import io.mola.core.backend.AttentionShape;
import io.mola.testdata.contract.SpanLayout.Visible;
import java.util.List;

/** Attention in double, from lists of visible rows: softmax(q Kᵀ / sqrt(c)) V per head. */
final class AttentionFormula {
  private final AttentionShape shape;
  private final List<Visible> visible;

  AttentionFormula(AttentionShape shape, SpanLayout layout) {
    this.shape = shape;
    visible = layout.visible(shape.window());
  }

  /** out [n, h·c]. */
  double[][] out(double[][] q, double[][] k, double[][] v) {
    double[][] out = new double[q.length][shape.queryWidth()];
    for (int t = 0; t < q.length; t++) {
      for (int head = 0; head < shape.heads(); head++) {
        double[] p = Doubles.softmax(scores(q, k, t, head));
        for (int n = 0; n < p.length; n++) {
          double[] values = v[visible.get(t).rows().get(n)];
          for (int i = 0; i < shape.headDim(); i++) {
            out[t][head * shape.headDim() + i] += p[n] * values[keyColumn(head) + i];
          }
        }
      }
    }
    return out;
  }

  /** lse [n, h]. */
  double[][] lse(double[][] q, double[][] k) {
    double[][] lse = new double[q.length][shape.heads()];
    for (int t = 0; t < q.length; t++) {
      for (int head = 0; head < shape.heads(); head++) {
        double sum = 0;
        for (double score : scores(q, k, t, head)) {
          sum += Math.exp(score);
        }
        lse[t][head] = Math.log(sum);
      }
    }
    return lse;
  }

  private double[] scores(double[][] q, double[][] k, int t, int head) {
    return visible.get(t).rows().stream()
        .mapToDouble(j -> {
          double dot = 0;
          for (int i = 0; i < shape.headDim(); i++) {
            dot += q[t][head * shape.headDim() + i] * k[j][keyColumn(head) + i];
          }
          return dot / Math.sqrt(shape.headDim());
        })
        .toArray();
  }

  private int keyColumn(int head) {
    return head * shape.kvHeads() / shape.heads() * shape.headDim();
  }
}
