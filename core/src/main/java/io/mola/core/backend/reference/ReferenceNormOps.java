package io.mola.core.backend.reference;

import io.mola.core.backend.NormOps;
import io.mola.core.tensor.Tensor;

/** RMS norm. */
final class ReferenceNormOps implements NormOps {
  @Override
  public void rmsForward(Tensor x, Tensor gain, float epsilon, Tensor y, Tensor rstd) {
    double[][] input = ReferenceTensor.read(x);
    double[] g = ReferenceTensor.read(gain)[0];
    double[][] output = new double[x.rows()][x.cols()];
    for (int t = 0; t < input.length; t++) {
      double squares = 0;
      for (double value : input[t]) {
        squares += value * value;
      }
      double r = 1 / Math.sqrt(squares / x.cols() + epsilon);
      ReferenceTensor.of(rstd).set(t, 0, r);
      for (int j = 0; j < x.cols(); j++) {
        output[t][j] = input[t][j] * r * g[j];
      }
    }
    ReferenceTensor.write(output, y);
  }

  @Override
  public void rmsBackward(Tensor dy, Tensor x, Tensor gain, Tensor rstd, Tensor dx) {
    double[][] dOutput = ReferenceTensor.read(dy);
    double[][] input = ReferenceTensor.read(x);
    double[] gains = ReferenceTensor.read(gain)[0];
    double[][] dInput = new double[x.rows()][x.cols()];
    for (int t = 0; t < input.length; t++) {
      double r = ReferenceTensor.of(rstd).get(t, 0);
      double mean = 0;
      for (int k = 0; k < x.cols(); k++) {
        mean += dOutput[t][k] * gains[k] * input[t][k] / x.cols();
      }
      for (int j = 0; j < x.cols(); j++) {
        dInput[t][j] = r * (dOutput[t][j] * gains[j] - input[t][j] * r * r * mean);
      }
    }
    ReferenceTensor.add(dInput, dx);
  }
}
