package io.mola.core.backend.reference;

import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.AttentionShape;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.stream.IntStream;

/** Rotary embedding and attention, one query row and one head at a time. */
final class ReferenceAttentionOps implements AttentionOps {
  @Override
  public void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction) {
    ReferenceTensor rows = ReferenceTensor.of(qk);
    ReferenceTensor angles = ReferenceTensor.of(table);
    int headDim = table.cols();
    int half = headDim / 2;
    for (int t = 0; t < qk.rows(); t++) {
      int position = ReferenceIntTensor.of(positions).get(t, 0);
      for (int head = 0; head < qk.cols(); head += headDim) {
        for (int i = 0; i < half; i++) {
          double cos = angles.get(position, i);
          double sin = angles.get(position, half + i);
          double sign = direction == Direction.FORWARD ? 1 : -1;
          double first = rows.get(t, head + i);
          double second = rows.get(t, head + half + i);
          rows.set(t, head + i, first * cos - second * sin * sign);
          rows.set(t, head + half + i, second * cos + first * sin * sign);
        }
      }
    }
  }

  @Override
  public void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse) {
    Heads heads = new Heads(q, k, v, shape);
    double[][] output = new double[out.rows()][out.cols()];
    for (int t = 0; t < q.rows(); t++) {
      int[] visible = visible(ReferenceIntTensor.of(spans), t, shape.window());
      for (int head = 0; head < shape.heads(); head++) {
        ReferenceTensor.of(lse).set(t, head, heads.attend(t, head, visible, output));
      }
    }
    ReferenceTensor.write(output, out);
  }

  @Override
  public void backward(
      Tensor dOut,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      Tensor lse,
      IntTensor spans,
      AttentionShape shape,
      Tensor delta,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    Heads heads = new Heads(q, k, v, shape);
    HeadGradients gradients = new HeadGradients(heads, ReferenceTensor.read(dOut));
    double[][] output = ReferenceTensor.read(out);
    for (int t = 0; t < q.rows(); t++) {
      int[] visible = visible(ReferenceIntTensor.of(spans), t, shape.window());
      for (int head = 0; head < shape.heads(); head++) {
        double d = gradients.delta(t, head, output);
        ReferenceTensor.of(delta).set(t, head, d);
        gradients.add(t, head, visible, ReferenceTensor.of(lse).get(t, head), d);
      }
    }
    ReferenceTensor.write(gradients.dq, dq);
    ReferenceTensor.write(gradients.dk, dk);
    ReferenceTensor.write(gradients.dv, dv);
  }

  @Override
  public void forwardCached(
      Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out) {
    Heads heads = new Heads(q, k, v, shape);
    double[][] output = new double[out.rows()][out.cols()];
    for (int i = 0; i < q.rows(); i++) {
      int last = past + i;
      int first = (int) Math.max(0, (long) last - shape.window() + 1);
      int[] visible = IntStream.rangeClosed(first, last).toArray();
      for (int head = 0; head < shape.heads(); head++) {
        heads.attend(i, head, visible, output);
      }
    }
    ReferenceTensor.write(output, out);
  }

  /** The rows that token t sees: those of its prefix and segment less than a window away. */
  private static int[] visible(ReferenceIntTensor spans, int t, int window) {
    int prefixStart = spans.get(t, 0);
    int prefixEnd = spans.get(t, 1);
    int start = spans.get(t, 2);
    int distanceToPrefixEnd = t - start + 1;
    return IntStream.concat(
            IntStream.range(prefixStart, prefixEnd)
                .filter(j -> distanceToPrefixEnd + prefixEnd - 1 - j < window),
            IntStream.rangeClosed(start, t).filter(j -> t - j < window))
        .toArray();
  }

  /** Queries, keys and values, addressed by row and head. */
  private static final class Heads {
    final double[][] q;
    final double[][] k;
    final double[][] v;
    final AttentionShape shape;

    Heads(Tensor q, Tensor k, Tensor v, AttentionShape shape) {
      this.q = ReferenceTensor.read(q);
      this.k = ReferenceTensor.read(k);
      this.v = ReferenceTensor.read(v);
      this.shape = shape;
    }

    /** First column of the query head. */
    int queryColumn(int head) {
      return head * shape.headDim();
    }

    /** First column of the key-value head that the query head reads. */
    int keyColumn(int head) {
      return head / (shape.heads() / shape.kvHeads()) * shape.headDim();
    }

    /** {@code scale · q[t,head] · k[j,head/(h/g)]}. */
    double score(int t, int head, int j) {
      double dot = 0;
      for (int i = 0; i < shape.headDim(); i++) {
        dot += q[t][queryColumn(head) + i] * k[j][keyColumn(head) + i];
      }
      return shape.scale() * dot;
    }

    /** Writes the head's columns of {@code out[t]}; returns the log of the sum of exponentials. */
    double attend(int t, int head, int[] visible, double[][] out) {
      double[] scores = new double[visible.length];
      double largest = Double.NEGATIVE_INFINITY;
      for (int n = 0; n < visible.length; n++) {
        scores[n] = score(t, head, visible[n]);
        largest = Math.max(largest, scores[n]);
      }
      double sum = 0;
      for (double score : scores) {
        sum += Math.exp(score - largest);
      }
      for (int n = 0; n < visible.length; n++) {
        double p = Math.exp(scores[n] - largest) / sum;
        for (int i = 0; i < shape.headDim(); i++) {
          out[t][queryColumn(head) + i] += p * v[visible[n]][keyColumn(head) + i];
        }
      }
      return largest + Math.log(sum);
    }
  }

  /** The sums dq, dk, dv. */
  private static final class HeadGradients {
    final Heads heads;
    final double[][] dOut;
    final double[][] dq;
    final double[][] dk;
    final double[][] dv;

    HeadGradients(Heads heads, double[][] dOut) {
      this.heads = heads;
      this.dOut = dOut;
      int n = dOut.length;
      dq = new double[n][heads.shape.queryWidth()];
      dk = new double[n][heads.shape.keyWidth()];
      dv = new double[n][heads.shape.keyWidth()];
    }

    /** {@code dOut[t,head] · out[t,head]}. */
    double delta(int t, int head, double[][] out) {
      double dot = 0;
      int column = heads.queryColumn(head);
      for (int i = column; i < column + heads.shape.headDim(); i++) {
        dot += dOut[t][i] * out[t][i];
      }
      return dot;
    }

    /** Adds what query row t of one head contributes. */
    void add(int t, int head, int[] visible, double lse, double delta) {
      int query = heads.queryColumn(head);
      int key = heads.keyColumn(head);
      for (int j : visible) {
        double p = Math.exp(heads.score(t, head, j) - lse);
        double dp = 0;
        for (int i = 0; i < heads.shape.headDim(); i++) {
          dp += dOut[t][query + i] * heads.v[j][key + i];
        }
        double ds = heads.shape.scale() * p * (dp - delta);
        for (int i = 0; i < heads.shape.headDim(); i++) {
          dq[t][query + i] += ds * heads.k[j][key + i];
          dk[j][key + i] += ds * heads.q[t][query + i];
          dv[j][key + i] += p * dOut[t][query + i];
        }
      }
    }
  }
}
