package io.mola.core.backend.reference;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LossOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Head and cross-entropy; the scratch tensor only gives the size of a chunk. */
final class ReferenceLossOps implements LossOps {
  @Override
  public void crossEntropyHead(
      Tensor x,
      FrozenMatrix head,
      IntTensor targets,
      IntTensor weights,
      float factor,
      Tensor scratch,
      Tensor loss,
      @Nullable Tensor dx) {
    double[][] input = ReferenceTensor.read(x);
    ReferenceIntTensor labels = ReferenceIntTensor.of(targets);
    ReferenceIntTensor counts = ReferenceIntTensor.of(weights);
    double[][] dInput = new double[x.rows()][x.cols()];
    double sum = 0;
    for (int first = 0; first < x.rows(); first += scratch.rows()) {
      int end = Math.min(first + scratch.rows(), x.rows());
      double[][] logits =
          ReferenceLinearOps.timesTransposed(Arrays.copyOfRange(input, first, end), head);
      for (int t = first; t < end; t++) {
        double[] row = logits[t - first];
        sum += counts.get(t, 0) * crossEntropy(row, labels.get(t, 0));
        for (int v = 0; v < row.length; v++) {
          row[v] *= (double) factor * counts.get(t, 0);
        }
      }
      if (dx != null) {
        ReferenceLinearOps.addTimes(logits, head, Arrays.copyOfRange(dInput, first, end));
      }
    }
    ReferenceTensor.add(new double[][] {{sum}}, loss);
    if (dx != null) {
      ReferenceTensor.write(dInput, dx);
    }
  }

  /** Returns {@code −log p[target]} and turns the logits into {@code p − onehot(target)}. */
  private static double crossEntropy(double[] logits, int target) {
    double largest = Double.NEGATIVE_INFINITY;
    for (double logit : logits) {
      largest = Math.max(largest, logit);
    }
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit - largest);
    }
    double loss = largest + Math.log(sum) - logits[target];
    for (int v = 0; v < logits.length; v++) {
      logits[v] = Math.exp(logits[v] - largest) / sum;
    }
    logits[target] -= 1;
    return loss;
  }
}
