package io.mola.testdata.contract;

import io.mola.core.backend.Dropout;
import io.mola.core.backend.Philox;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.testdata.contract.AdapterCase.Adapter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A mixture of low-rank experts as the paper writes it, expert by expert and token by token, in
 * double: {@code y = W x + Σ_e w_e s B_e (A_e (x ⊙ D))} with w the softmax over the K largest
 * router logits of x. The matrices it hands out can be changed, for finite differences.
 */
final class MixtureFormula {
  private final AdapterCase drawn;
  private final double[][] x;
  private final double[][] a;
  private final double[][] router;
  private final List<double[][]> bs = new ArrayList<>();
  private final List<double[][]> weights = new ArrayList<>();
  private final double[][] mask;

  MixtureFormula(AdapterCase drawn) {
    this.drawn = drawn;
    x = drawn.x().toRows();
    a = drawn.parameter("a").toRows();
    router = drawn.routed() == 0 ? new double[0][] : drawn.parameter("router").toRows();
    for (int i = 0; i < drawn.adapters().size(); i++) {
      boolean adapted = drawn.adapters().get(i).experts() > 0;
      bs.add(adapted ? drawn.parameter("b" + i).toRows() : new double[0][]);
      weights.add(decoded(drawn.weights().get(i)));
    }
    Dropout dropout = drawn.dropout();
    mask = new double[x.length][x[0].length];
    for (int t = 0; t < mask.length; t++) {
      for (int i = 0; i < mask[t].length; i++) {
        mask[t][i] = keeps(dropout, mask[t].length, t, i) ? 1 / (1 - dropout.probability()) : 0;
      }
    }
  }

  private static double[][] decoded(StoredMatrix matrix) {
    double[][] rows = new double[matrix.out()][matrix.in()];
    float[] row = new float[matrix.in()];
    for (int o = 0; o < rows.length; o++) {
      RowDecoder.decodeRow(matrix, o, row, 0);
      for (int i = 0; i < row.length; i++) {
        rows[o][i] = row[i];
      }
    }
    return rows;
  }

  double[][] x() {
    return x;
  }

  double[][] a() {
    return a;
  }

  double[][] router() {
    return router;
  }

  double[][] b(int member) {
    return bs.get(member);
  }

  /** Whether dropout keeps element (row, col) of an input with {@code in} columns. */
  static boolean keeps(Dropout dropout, int in, int row, int col) {
    long index = (dropout.firstRow() + row) * in + col;
    int[] words = new int[4];
    Philox.words(
        dropout.seed(),
        (int) (index >> 2),
        (int) (index >> 34),
        dropout.step(),
        dropout.stream(),
        words);
    return (words[(int) (index & 3)] >>> 8) / (double) (1 << 24)
        >= Math.round(dropout.probability() * (1 << 24)) / (double) (1 << 24);
  }

  /** {@code Σ_i ⟨dy_i, y_i⟩ + ⟨dLogits on entry, logits⟩}. */
  double objective() {
    double sum = 0;
    for (int i = 0; i < weights.size(); i++) {
      sum += Doubles.dot(drawn.dys().get(i).toRows(), output(i));
    }
    if (router.length > 0) {
      sum += Doubles.dot(drawn.start("dLogits").toRows(), Doubles.timesTransposed(x, router));
    }
    return sum;
  }

  /** {@code y_i} for all tokens. */
  double[][] output(int member) {
    double[][] y = Doubles.timesTransposed(x, weights.get(member));
    for (int t = 0; t < x.length; t++) {
      addExperts(member, t, y[t]);
    }
    return y;
  }

  private void addExperts(int member, int t, double[] y) {
    Adapter adapter = drawn.adapters().get(member);
    double[] dropped = new double[x[t].length];
    for (int i = 0; i < dropped.length; i++) {
      dropped[i] = x[t][i] * mask[t][i];
    }
    double[] gates = gates(member, x[t]);
    for (int e = 0; e < adapter.experts(); e++) {
      for (int j = 0; j < adapter.rank(); j++) {
        int column = e * adapter.rank() + j;
        double hidden = Doubles.dot(a[drawn.rankOffset(member) + column], dropped);
        for (int o = 0; o < y.length; o++) {
          y[o] += gates[e] * adapter.scale() * bs.get(member)[column][o] * hidden;
        }
      }
    }
  }

  private double[] gates(int member, double[] token) {
    Adapter adapter = drawn.adapters().get(member);
    if (adapter.routed() == 0) {
      return new double[] {1};
    }
    double[] gates = new double[adapter.experts()];
    int first = drawn.expertOffset(member);
    double[] logits = new double[adapter.experts()];
    for (int e = 0; e < logits.length; e++) {
      logits[e] = Doubles.dot(router[first + e], token);
    }
    int[] chosen =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparingDouble(e -> -logits[e]))
            .limit(adapter.topK())
            .mapToInt(Integer::intValue)
            .toArray();
    double[] p = Doubles.softmax(IntStream.of(chosen).mapToDouble(e -> logits[e]).toArray());
    for (int k = 0; k < chosen.length; k++) {
      gates[chosen[k]] = p[k];
    }
    return gates;
  }
}
