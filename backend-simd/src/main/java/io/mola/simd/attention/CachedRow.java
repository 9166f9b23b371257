package io.mola.simd.attention;

import io.mola.core.backend.AttentionShape;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.lanes.Sums;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.tiles.WorkerScratch;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Attention of one or a few new tokens over a cache: packing the cache would cost more than it
 * saves, so keys and values are read as they lie, with the columns of a head as lanes.
 */
public final class CachedRow {
  private static final VectorSpecies<Float> F = VectorWidth.FLOAT;
  private static final int L = VectorWidth.LANES;
  private static final VectorShuffle<Float> BY8 = rotation(8);
  private static final VectorShuffle<Float> BY4 = rotation(4);
  private static final VectorShuffle<Float> BY2 = rotation(2);
  private static final VectorShuffle<Float> BY1 = rotation(1);

  private CachedRow() {}

  private static VectorShuffle<Float> rotation(int by) {
    return VectorShuffle.iota(F, by % L, 1, true);
  }

  /** See {@link io.mola.core.backend.AttentionOps#forwardCached}. */
  public static void run(
      Workbench bench, AttentionShape shape, int m, int past, Rows q, Rows k, Rows v, Rows out) {
    int c = shape.headDim();
    int group = shape.heads() / shape.kvHeads();
    bench
        .pool()
        .run(
            m * shape.heads(),
            (task, worker) -> {
              int row = task / shape.heads();
              int head = task % shape.heads();
              int last = past + row;
              int first = (int) Math.max(0, (long) last - shape.window() + 1);
              int count = last - first + 1;
              WorkerScratch scratch = bench.scratch()[worker];
              float[] p = scratch.sums(count + c);
              int column = head / group * c;
              scores(q, row, head * c, k, first, count, column, c, shape.scale(), p);
              float largest = Sums.max(p, 0, count);
              for (int i = 0; i < count; i++) {
                p[i] -= largest;
              }
              Exponential.apply(p, 0, count);
              double sum = Sums.sum(p, 0, count, scratch.doubleLanes);
              int to = out.at(row) + head * c;
              average(p, count, (float) (1 / sum), v, first, column, c, out.data(), to);
            });
  }

  private static void scores(
      Rows q,
      int row,
      int queryColumn,
      Rows k,
      int first,
      int count,
      int column,
      int c,
      float scale,
      float[] p) {
    float[] x = q.data();
    float[] y = k.data();
    int xo = q.at(row) + queryColumn;
    for (int j = 0; j < count; j++) {
      int yo = k.at(first + j) + column;
      FloatVector a = FloatVector.zero(F);
      int i = 0;
      for (; i <= c - L; i += L) {
        a = FloatVector.fromArray(F, x, xo + i).fma(FloatVector.fromArray(F, y, yo + i), a);
      }
      // a fixed tree over the lanes
      a = L < 16 ? a : a.add(a.rearrange(BY8));
      a = L < 8 ? a : a.add(a.rearrange(BY4));
      a = a.add(a.rearrange(BY2));
      a = a.add(a.rearrange(BY1));
      float sum = a.lane(0);
      for (; i < c; i++) {
        sum = Math.fma(x[xo + i], y[yo + i], sum);
      }
      p[j] = sum * scale;
    }
  }

  /** {@code out[c] = factor · Σ_j p[j] · v[first + j]}. */
  private static void average(
      float[] p,
      int count,
      float factor,
      Rows v,
      int first,
      int column,
      int c,
      float[] out,
      int to) {
    float[] x = v.data();
    int from = v.at(first) + column;
    int ld = v.ld();
    int i = 0;
    for (; i <= c - L; i += L) {
      FloatVector a = FloatVector.zero(F);
      for (int j = 0; j < count; j++) {
        a = FloatVector.fromArray(F, x, from + i + j * ld).fma(FloatVector.broadcast(F, p[j]), a);
      }
      a.lanewise(VectorOperators.MUL, factor).intoArray(out, to + i);
    }
    for (; i < c; i++) {
      float a = 0;
      for (int j = 0; j < count; j++) {
        a = Math.fma(x[from + i + j * ld], p[j], a);
      }
      out[to + i] = a * factor;
    }
  }
}
