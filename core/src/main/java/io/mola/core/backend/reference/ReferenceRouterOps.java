package io.mola.core.backend.reference;

import io.mola.core.backend.RouterOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Router statistics and balance loss. */
final class ReferenceRouterOps implements RouterOps {
  @Override
  public void statistics(
      Tensor logits, Tensor gates, IntTensor rowWeights, int column, Tensor statistics) {
    ReferenceTensor chosen = ReferenceTensor.of(gates);
    ReferenceIntTensor weights = ReferenceIntTensor.of(rowWeights);
    int experts = statistics.cols();
    double[][] sums = new double[2][experts];
    for (int t = 0; t < logits.rows(); t++) {
      double[] p = probabilities(ReferenceTensor.of(logits), t, column, experts);
      int weight = weights.get(t, 0);
      for (int i = 0; i < experts; i++) {
        sums[0][i] += chosen.get(t, column + i) != 0 ? weight : 0;
        sums[1][i] += weight * p[i];
      }
    }
    ReferenceTensor.add(sums, statistics);
  }

  @Override
  public void balanceLoss(Tensor statistics, float factor, Tensor loss) {
    double[][] sums = ReferenceTensor.read(statistics);
    double picks = sum(sums[0]);
    if (picks == 0) {
      return;
    }
    double rows = sum(sums[1]);
    double product = 0;
    for (int i = 0; i < sums[0].length; i++) {
      product += sums[0][i] / picks * (sums[1][i] / rows);
    }
    ReferenceTensor.add(new double[][] {{factor * sums[0].length * product}}, loss);
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
    double[] counts = ReferenceTensor.read(statistics)[0];
    double picks = sum(counts);
    if (picks == 0) {
      return;
    }
    int experts = counts.length;
    double rows = picks / topK;
    ReferenceIntTensor weights = ReferenceIntTensor.of(rowWeights);
    ReferenceTensor target = ReferenceTensor.of(dLogits);
    for (int t = 0; t < logits.rows(); t++) {
      double[] p = probabilities(ReferenceTensor.of(logits), t, column, experts);
      double mean = 0;
      for (int k = 0; k < experts; k++) {
        mean += counts[k] / picks * p[k];
      }
      double scale = factor * weights.get(t, 0) * experts / rows;
      for (int i = 0; i < experts; i++) {
        double d = scale * p[i] * (counts[i] / picks - mean);
        target.set(t, column + i, target.get(t, column + i) + d);
      }
    }
  }

  /** Softmax over {@code logits[t, column .. column + experts - 1]}. */
  private static double[] probabilities(ReferenceTensor logits, int t, int column, int experts) {
    double[] p = new double[experts];
    double largest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < experts; i++) {
      largest = Math.max(largest, logits.get(t, column + i));
    }
    double sum = 0;
    for (int i = 0; i < experts; i++) {
      p[i] = Math.exp(logits.get(t, column + i) - largest);
      sum += p[i];
    }
    for (int i = 0; i < experts; i++) {
      p[i] /= sum;
    }
    return p;
  }

  private static double sum(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum;
  }
}
