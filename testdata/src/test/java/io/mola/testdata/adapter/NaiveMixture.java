package io.mola.testdata.adapter;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.AdapterTensor.Kind;
import io.mola.core.model.Projection;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * One group of one layer by the formulas of the paper, token by token and expert by expert in
 * double: {@code y = W x + Σ over chosen e of g_e · alpha/r · B_e A_e x}, and the balance loss
 * {@code L = N Σ f_i P_i}.
 */
final class NaiveMixture {
  private final WeightSource source;
  private final AdapterParameters layout;
  private final int layer;
  private final Projection.Group group;

  NaiveMixture(WeightSource source, AdapterParameters layout, int layer, Projection.Group group) {
    this.source = source;
    this.layout = layout;
    this.layer = layer;
    this.group = group;
  }

  /** Outputs per projection and row, and per projection picks and summed probabilities. */
  record Result(
      Map<Projection, double[][]> y,
      Map<Projection, double[]> picks,
      Map<Projection, double[]> probabilities) {}

  Result forward(double[] flat, double[][] x, int[] rowWeights) {
    Result result = new Result(new HashMap<>(), new HashMap<>(), new HashMap<>());
    for (Projection projection : group.members()) {
      int n = layout.shape().layers().get(layer).experts(projection);
      result.picks().put(projection, new double[n]);
      result.probabilities().put(projection, new double[n]);
      double[][] y = new double[x.length][];
      for (int t = 0; t < x.length; t++) {
        y[t] = row(projection, flat, x[t], rowWeights[t], result);
      }
      result.y().put(projection, y);
    }
    return result;
  }

  private double[] row(
      Projection projection, double[] flat, double[] x, int weight, Result result) {
    AdapterShape.Layer numbers = layout.shape().layers().get(layer);
    int n = numbers.experts(projection);
    double[] y = base(projection, x);
    if (n == 0) {
      return y;
    }
    double[] gates = {1};
    if (n > 1) {
      double[] logits = product(matrix(flat, projection, Kind.ROUTER, 0), x);
      gates = gates(logits, numbers.topK(projection));
      double[] p = softmax(logits);
      for (int e = 0; e < n; e++) {
        result.picks().get(projection)[e] += gates[e] == 0 ? 0 : weight;
        result.probabilities().get(projection)[e] += weight * p[e];
      }
    }
    double scale = layout.shape().alpha() / numbers.rank();
    for (int e = 0; e < n; e++) {
      double[] h = product(matrix(flat, projection, Kind.A, e), x);
      double[] update = product(matrix(flat, projection, Kind.B, e), h);
      for (int o = 0; o < y.length; o++) {
        y[o] += gates[e] * scale * update[o];
      }
    }
    return y;
  }

  /** L of the given projections together: counts f from {@code fixed}, means P from {@code now}. */
  static double balance(List<Projection> joined, Result fixed, Result now) {
    int n = fixed.picks().get(joined.getFirst()).length;
    double[] f = new double[n];
    double[] p = new double[n];
    for (Projection projection : joined) {
      for (int e = 0; e < n; e++) {
        f[e] += fixed.picks().get(projection)[e];
        p[e] += now.probabilities().get(projection)[e];
      }
    }
    double allPicks = Arrays.stream(f).sum();
    double rows = Arrays.stream(p).sum();
    return n * IntStream.range(0, n).mapToDouble(e -> f[e] / allPicks * p[e] / rows).sum();
  }

  private double[] base(Projection projection, double[] x) {
    int out = projection.out(layout.config());
    int in = projection.in(layout.config());
    StoredMatrix w = source.matrix(WeightNames.inLayer(layer, projection.path()), out, in);
    double[] y = new double[out];
    float[] row = new float[in];
    for (int o = 0; o < out; o++) {
      RowDecoder.decodeRow(w, o, row, 0);
      for (int i = 0; i < in; i++) {
        y[o] += row[i] * x[i];
      }
    }
    return y;
  }

  /** The named tensor as rows; B lies transposed in the flat layout. */
  private double[][] matrix(double[] flat, Projection projection, Kind kind, int expert) {
    AdapterTensor tensor =
        layout.tensors().stream()
            .filter(t -> t.layer() == layer && t.projection() == projection)
            .filter(t -> t.kind() == kind && t.expert() == expert)
            .findFirst()
            .orElseThrow();
    double[][] rows = new double[tensor.rows()][tensor.cols()];
    for (int i = 0; i < tensor.rows(); i++) {
      for (int j = 0; j < tensor.cols(); j++) {
        int at = kind == Kind.B ? j * tensor.rows() + i : i * tensor.cols() + j;
        rows[i][j] = flat[tensor.offset() + at];
      }
    }
    return rows;
  }

  private static double[] product(double[][] matrix, double[] x) {
    double[] y = new double[matrix.length];
    for (int i = 0; i < y.length; i++) {
      for (int j = 0; j < x.length; j++) {
        y[i] += matrix[i][j] * x[j];
      }
    }
    return y;
  }

  private static double[] softmax(double[] logits) {
    double sum = Arrays.stream(logits).map(Math::exp).sum();
    return Arrays.stream(logits).map(l -> Math.exp(l) / sum).toArray();
  }

  private static double[] gates(double[] logits, int topK) {
    int[] chosen =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer e) -> -logits[e]))
            .limit(topK)
            .mapToInt(Integer::intValue)
            .toArray();
    double sum = Arrays.stream(chosen).mapToDouble(e -> Math.exp(logits[e])).sum();
    double[] gates = new double[logits.length];
    for (int e : chosen) {
      gates[e] = Math.exp(logits[e]) / sum;
    }
    return gates;
  }
}
