package io.mola.core.backend.reference;

import io.mola.core.backend.OptimizerOps;
import io.mola.core.tensor.Tensor;

/** Updates of trainable parameters. */
final class ReferenceOptimizerOps implements OptimizerOps {
  @Override
  public void adamW(Tensor parameter, Tensor gradient, Tensor m, Tensor v, AdamWStep step) {
    ReferenceTensor parameters = ReferenceTensor.of(parameter);
    ReferenceTensor firsts = ReferenceTensor.of(m);
    ReferenceTensor seconds = ReferenceTensor.of(v);
    double firstBias = 1 - Math.pow(step.beta1(), step.t());
    double secondBias = 1 - Math.pow(step.beta2(), step.t());
    for (int row = 0; row < parameter.rows(); row++) {
      for (int col = 0; col < parameter.cols(); col++) {
        double g = ReferenceTensor.of(gradient).get(row, col);
        double first = step.beta1() * firsts.get(row, col) + (1 - step.beta1()) * g;
        double second = step.beta2() * seconds.get(row, col) + (1 - step.beta2()) * g * g;
        double p = parameters.get(row, col) * (1 - step.rate() * step.weightDecay());
        p -= step.rate() * (first / firstBias) / (Math.sqrt(second / secondBias) + step.epsilon());
        firsts.set(row, col, first);
        seconds.set(row, col, second);
        parameters.set(row, col, p);
      }
    }
  }

  @Override
  public void squaredNorm(Tensor gradient, Tensor sum) {
    double squares = 0;
    for (double[] row : ReferenceTensor.read(gradient)) {
      for (double g : row) {
        squares += g * g;
      }
    }
    ReferenceTensor.add(new double[][] {{squares}}, sum);
  }

  @Override
  public void clip(Tensor gradient, Tensor squaredNorm, float maxNorm) {
    double norm = Math.sqrt(ReferenceTensor.of(squaredNorm).get(0, 0));
    double factor = Math.min(1, maxNorm / (norm + 1e-6));
    double[][] clipped = ReferenceTensor.read(gradient);
    for (double[] row : clipped) {
      for (int col = 0; col < row.length; col++) {
        row[col] *= factor;
      }
    }
    ReferenceTensor.write(clipped, gradient);
  }
}
