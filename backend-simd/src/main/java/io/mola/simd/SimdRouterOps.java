package io.mola.simd;

import io.mola.core.backend.RouterOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.tiles.Workbench;

/** Router statistics and balance loss; sums over rows go chunk by chunk in order, in double. */
final class SimdRouterOps implements RouterOps {
  private static final int CHUNK = 64;

  private final Workbench bench;
  private double[] partial = new double[0];

  SimdRouterOps(Workbench bench) {
    this.bench = bench;
  }

  @Override
  public void statistics(
      Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics) {
    SimdTensor l = SimdTensor.of(logits);
    SimdTensor g = SimdTensor.of(gates);
    SimdTensor to = SimdTensor.of(statistics);
    int[] weights = SimdIntTensor.of(rowWeights).data();
    int experts = to.cols();
    int chunks = (l.rows() + CHUNK - 1) / CHUNK;
    if (partial.length < chunks * 2 * experts) {
      partial = new double[chunks * 2 * experts];
    }
    double[] sums = partial;
    bench
        .pool()
        .run(
            chunks,
            (chunk, worker) -> {
              int first = chunk * CHUNK;
              int rows = Math.min(CHUNK, l.rows() - first);
              float[] p = bench.scratch()[worker].sums(CHUNK * experts);
              probabilities(l, first, rows, column, experts, p);
              count(g, weights, first, rows, column, experts, p, sums, chunk * 2 * experts);
            });
    for (int i = 0; i < 2 * experts; i++) {
      double sum = to.data()[to.offset() + i];
      for (int chunk = 0; chunk < chunks; chunk++) {
        sum += sums[chunk * 2 * experts + i];
      }
      to.data()[to.offset() + i] = (float) sum;
    }
  }

  private static void count(
      SimdTensor gates,
      int[] weights,
      int first,
      int rows,
      int column,
      int experts,
      float[] p,
      double[] sums,
      int at) {
    for (int i = 0; i < experts; i++) {
      double picks = 0;
      double mass = 0;
      for (int r = 0; r < rows; r++) {
        int weight = weights[first + r];
        picks += gates.data()[gates.at(first + r) + column + i] != 0 ? weight : 0;
        mass += (double) weight * p[r * experts + i];
      }
      sums[at + i] = picks;
      sums[at + experts + i] = mass;
    }
  }

  /** Softmax over {@code logits[t, column .. column + experts - 1]} of some rows. */
  private static void probabilities(
      SimdTensor logits, int first, int rows, int column, int experts, float[] p) {
    for (int r = 0; r < rows; r++) {
      int from = logits.at(first + r) + column;
      float largest = Float.NEGATIVE_INFINITY;
      for (int i = 0; i < experts; i++) {
        largest = Math.max(largest, logits.data()[from + i]);
      }
      for (int i = 0; i < experts; i++) {
        p[r * experts + i] = logits.data()[from + i] - largest;
      }
    }
    Exponential.apply(p, 0, rows * experts);
    for (int r = 0; r < rows; r++) {
      float sum = 0;
      for (int i = 0; i < experts; i++) {
        sum += p[r * experts + i];
      }
      for (int i = 0; i < experts; i++) {
        p[r * experts + i] /= sum;
      }
    }
  }

  @Override
  public void balanceLoss(Tensor statistics, float factor, Tensor loss) {
    SimdTensor s = SimdTensor.of(statistics);
    SimdTensor to = SimdTensor.of(loss);
    int experts = s.cols();
    double picks = sum(s, 0);
    if (picks == 0) {
      return;
    }
    double rows = sum(s, 1);
    double product = 0;
    for (int i = 0; i < experts; i++) {
      double f = s.data()[s.at(0) + i] / picks;
      product += f * (s.data()[s.at(1) + i] / rows);
    }
    to.data()[to.offset()] = (float) (to.data()[to.offset()] + factor * experts * product);
  }

  @Override
  public void balanceBackward(
      Tensor logits,
      IntTensor rowWeights,
      int column,
      int topK,
      Tensor statistics,
      float factor,
      Tensor dLogits) {
    SimdTensor l = SimdTensor.of(logits);
    SimdTensor s = SimdTensor.of(statistics);
    SimdTensor to = SimdTensor.of(dLogits);
    int[] weights = SimdIntTensor.of(rowWeights).data();
    int experts = s.cols();
    double picks = sum(s, 0);
    if (picks == 0) {
      return;
    }
    double scale = (double) factor * experts * topK / picks;
    bench
        .pool()
        .run(
            (l.rows() + CHUNK - 1) / CHUNK,
            (chunk, worker) -> {
              int first = chunk * CHUNK;
              int rows = Math.min(CHUNK, l.rows() - first);
              float[] p = bench.scratch()[worker].sums(CHUNK * experts);
              probabilities(l, first, rows, column, experts, p);
              for (int r = 0; r < rows; r++) {
                float change = (float) (scale * weights[first + r]);
                addRow(s, picks, p, r * experts, change, to, to.at(first + r) + column);
              }
            });
  }

  private static void addRow(
      SimdTensor statistics, double picks, float[] p, int po, float scale, SimdTensor to, int at) {
    int experts = statistics.cols();
    float[] counts = statistics.data();
    int from = statistics.at(0);
    double mean = 0;
    for (int k = 0; k < experts; k++) {
      mean += counts[from + k] / picks * p[po + k];
    }
    for (int i = 0; i < experts; i++) {
      to.data()[at + i] += (float) (scale * p[po + i] * (counts[from + i] / picks - mean));
    }
  }

  private static double sum(SimdTensor tensor, int row) {
    double sum = 0;
    for (int i = 0; i < tensor.cols(); i++) {
      sum += tensor.data()[tensor.at(row) + i];
    }
    return sum;
  }
}
