package io.mola.core.backend.reference;

import io.mola.core.backend.ActivationOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/** Elementwise operations and movement of rows. */
final class ReferenceActivationOps implements ActivationOps {
  @Override
  public void swigluForward(Tensor gate, Tensor up, Tensor y) {
    double[][] g = ReferenceTensor.read(gate);
    double[][] u = ReferenceTensor.read(up);
    double[][] output = new double[y.rows()][y.cols()];
    for (int t = 0; t < y.rows(); t++) {
      for (int j = 0; j < y.cols(); j++) {
        output[t][j] = g[t][j] * sigmoid(g[t][j]) * u[t][j];
      }
    }
    ReferenceTensor.write(output, y);
  }

  @Override
  public void swigluBackward(Tensor dy, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
    double[][] d = ReferenceTensor.read(dy);
    double[][] g = ReferenceTensor.read(gate);
    double[][] u = ReferenceTensor.read(up);
    for (int t = 0; t < dy.rows(); t++) {
      for (int j = 0; j < dy.cols(); j++) {
        double s = sigmoid(g[t][j]);
        ReferenceTensor.of(dGate).set(t, j, d[t][j] * u[t][j] * s * (1 + g[t][j] * (1 - s)));
        ReferenceTensor.of(dUp).set(t, j, d[t][j] * g[t][j] * s);
      }
    }
  }

  private static double sigmoid(double a) {
    return 1 / (1 + Math.exp(-a));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    ReferenceTensor.add(ReferenceTensor.read(x), y);
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    ReferenceTensor.write(ReferenceTensor.read(x), y);
  }

  @Override
  public void zero(Tensor x) {
    ReferenceTensor.write(new double[x.rows()][x.cols()], x);
  }

  @Override
  public void gatherRows(Tensor x, IntTensor rows, Tensor y) {
    ReferenceTensor source = ReferenceTensor.of(x);
    ReferenceTensor target = ReferenceTensor.of(y);
    for (int i = 0; i < rows.rows(); i++) {
      int row = ReferenceIntTensor.of(rows).get(i, 0);
      for (int j = 0; j < x.cols(); j++) {
        target.set(i, j, source.get(row, j));
      }
    }
  }

  @Override
  public void scatterAddRows(Tensor dy, IntTensor rows, Tensor dx) {
    ReferenceTensor source = ReferenceTensor.of(dy);
    ReferenceTensor target = ReferenceTensor.of(dx);
    for (int i = 0; i < rows.rows(); i++) {
      int row = ReferenceIntTensor.of(rows).get(i, 0);
      for (int j = 0; j < dx.cols(); j++) {
        target.set(row, j, (double) target.get(row, j) + source.get(i, j));
      }
    }
  }
}
