package io.mola.core.backend.reference;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.LinearOps;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;

/** Products with frozen weights, one decoded row at a time. */
final class ReferenceLinearOps implements LinearOps {
  @Override
  public void forward(Tensor x, List<FrozenMatrix> weights, List<Tensor> ys) {
    double[][] input = ReferenceTensor.read(x);
    for (int i = 0; i < weights.size(); i++) {
      ReferenceTensor.write(timesTransposed(input, weights.get(i)), ys.get(i));
    }
  }

  @Override
  public void backward(List<Tensor> dys, List<FrozenMatrix> weights, Tensor dx) {
    double[][] sum = new double[dx.rows()][dx.cols()];
    for (int i = 0; i < weights.size(); i++) {
      addTimes(ReferenceTensor.read(dys.get(i)), weights.get(i), sum);
    }
    ReferenceTensor.add(sum, dx);
  }

  @Override
  public void embed(IntTensor ids, FrozenMatrix table, Tensor y) {
    ReferenceIntTensor rows = ReferenceIntTensor.of(ids);
    ReferenceTensor target = ReferenceTensor.of(y);
    float[] row = new float[table.in()];
    for (int t = 0; t < rows.rows(); t++) {
      ReferenceMatrix.of(table).decodeRow(rows.get(t, 0), row);
      for (int col = 0; col < row.length; col++) {
        target.set(t, col, row[col]);
      }
    }
  }

  /** {@code x[n,in] · Wᵀ}. */
  static double[][] timesTransposed(double[][] x, FrozenMatrix w) {
    double[][] y = new double[x.length][w.out()];
    float[] row = new float[w.in()];
    for (int o = 0; o < w.out(); o++) {
      ReferenceMatrix.of(w).decodeRow(o, row);
      for (int t = 0; t < x.length; t++) {
        for (int i = 0; i < row.length; i++) {
          y[t][o] += x[t][i] * row[i];
        }
      }
    }
    return y;
  }

  /** {@code sum[n,in] += dy[n,out] · W}. */
  static void addTimes(double[][] dy, FrozenMatrix w, double[][] sum) {
    float[] row = new float[w.in()];
    for (int o = 0; o < w.out(); o++) {
      ReferenceMatrix.of(w).decodeRow(o, row);
      for (int t = 0; t < dy.length; t++) {
        for (int i = 0; i < row.length; i++) {
          sum[t][i] += dy[t][o] * row[i];
        }
      }
    }
  }
}
