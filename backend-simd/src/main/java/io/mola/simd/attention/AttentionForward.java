package io.mola.simd.attention;

import io.mola.core.backend.AttentionShape;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.tiles.MicroKernel;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Attention with a running softmax (Dao et al., FlashAttention, 2022). A task is a head and a block
 * of queries, which are the lanes: the scores of a key are a row, so that maxima and sums over keys
 * are vertical, and {@code exp(scores)} already lies as the product with V wants it. K and V are
 * packed once for all tasks.
 */
public final class AttentionForward {
  private static final int COLUMNS = MicroKernel.COLUMNS;

  /** Below all scores, and finite, so that differences are not NaN. */
  private static final float LOWEST = -1e30f;

  private final Workbench bench;
  private final AttentionShape shape;
  private final Batch batch;
  private final int shift;
  private final Rows q;
  private final PackedHeads keys;
  private final PackedHeads values;
  private final Rows out;
  private final @Nullable Rows lse;
  private final int group;
  private final int c;
  private final int sumsAt;
  private final int outAt;
  private final int outRows;
  private final int maxAt;
  private final int sumAt;
  private final int factorAt;
  private final int size;
  private final KeyRanges.Keys visitor = this::visit;

  private AttentionForward(
      Workbench bench,
      AttentionShape shape,
      Batch batch,
      int shift,
      Rows q,
      PackedHeads keys,
      PackedHeads values,
      Rows out,
      @Nullable Rows lse) {
    this.bench = bench;
    this.shape = shape;
    this.batch = batch;
    this.shift = shift;
    this.q = q;
    this.keys = keys;
    this.values = values;
    this.out = out;
    this.lse = lse;
    this.group = shape.heads() / shape.kvHeads();
    this.c = shape.headDim();
    // scratch: queries [c], scores [KEYS], output [c padded], running maximum, sum, factor
    this.outRows = (c + MicroKernel.ROWS - 1) / MicroKernel.ROWS * MicroKernel.ROWS;
    this.sumsAt = c * COLUMNS;
    this.outAt = sumsAt + KeyRanges.KEYS * COLUMNS;
    this.maxAt = outAt + outRows * COLUMNS;
    this.sumAt = maxAt + COLUMNS;
    this.factorAt = sumAt + COLUMNS;
    this.size = factorAt + COLUMNS;
  }

  /** Attention within a batch; see {@link io.mola.core.backend.AttentionOps#forward}. */
  public static void run(
      Workbench bench,
      AttentionShape shape,
      int[] spans,
      int n,
      Rows q,
      Rows k,
      Rows v,
      Rows out,
      Rows lse) {
    run(bench, shape, new Batch(spans, n), n, 0, q, k, v, out, lse);
  }

  /** Attention of m new tokens over a cache of past + m rows. */
  public static void runCached(
      Workbench bench, AttentionShape shape, int m, int past, Rows q, Rows k, Rows v, Rows out) {
    run(bench, shape, Batch.sequence(m), past + m, past, q, k, v, out, null);
  }

  private static void run(
      Workbench bench,
      AttentionShape shape,
      Batch batch,
      int keyRows,
      int shift,
      Rows q,
      Rows k,
      Rows v,
      Rows out,
      @Nullable Rows lse) {
    bench.workspace().reset();
    int c = shape.headDim();
    PackedHeads keys = PackedHeads.rows(bench.workspace(), keyRows, shape.kvHeads(), c);
    PackedHeads values = PackedHeads.columns(bench.workspace(), keyRows, shape.kvHeads(), c);
    AttentionForward forward =
        new AttentionForward(bench, shape, batch, shift, q, keys, values, out, lse);
    int tasks = batch.blocks() * shape.heads();
    bench
        .pool()
        .run(Stage.all(keys.packRows(k), values.packColumns(v)), Stage.of(tasks, forward::task));
  }

  /** Ints that the packed keys and values of n tokens take at most. */
  public static long packedInts(int n, int keyWidth) {
    return 2 * PackedActivations.bound(n, keyWidth);
  }

  private void task(int task, int worker) {
    int block = task / shape.heads();
    int head = task % shape.heads();
    int kvHead = head / group;
    int first = batch.first(block);
    int count = batch.count(block);
    float[] s = bench.scratch()[worker].sums(size);
    LanePanel.turn(q, first, count, head * c, c, shape.scale(), s, 0);
    Arrays.fill(s, outAt, maxAt, 0f);
    Arrays.fill(s, maxAt, sumAt, LOWEST);
    Arrays.fill(s, sumAt, factorAt, 0f);
    KeyRanges.walk(batch, first, count, shift, shape.window(), visitor, kvHead, s);
    finish(s, first, count, head);
  }

  private void visit(int tile, int tiles, int from, int to, long base, int kvHead, float[] s) {
    keys.times(kvHead, tile, tiles, s, 0, s, sumsAt);
    int zero = tile * MicroKernel.ROWS;
    KeyRanges.mask(s, sumsAt, zero, from, to, base, shape.window(), Float.NEGATIVE_INFINITY);
    int rows = to - from;
    int at = sumsAt + (from - zero) * COLUMNS;
    System.arraycopy(s, maxAt, s, factorAt, COLUMNS);
    LanePanel.max(s, at, rows, s, maxAt);
    LanePanel.subtract(s, factorAt, 1, s, maxAt);
    if (anyBelowZero(s, factorAt)) {
      Exponential.apply(s, factorAt, COLUMNS);
      LanePanel.multiply(s, sumAt, 1, s, factorAt);
      LanePanel.multiply(s, outAt, outRows, s, factorAt);
    }
    LanePanel.subtract(s, at, rows, s, maxAt);
    Exponential.apply(s, at, rows * COLUMNS);
    LanePanel.addSums(s, at, rows, s, sumAt);
    values.addTransposedTimes(kvHead, from, rows, s, at, s, outAt);
  }

  /** Whether a maximum has grown: else the output needs no new factor. */
  private static boolean anyBelowZero(float[] s, int at) {
    for (int i = 0; i < COLUMNS; i++) {
      if (!(s[at + i] >= 0)) {
        return true;
      }
    }
    return false;
  }

  private void finish(float[] s, int first, int count, int head) {
    for (int lane = 0; lane < count; lane++) {
      float sum = s[sumAt + lane];
      if (lse != null) {
        float log = (float) (s[maxAt + lane] + StrictMath.log(sum));
        lse.data()[lse.at(first + lane) + head] = log;
      }
      s[factorAt + lane] = 1f / sum;
    }
    LanePanel.turnBack(s, outAt, c, s, factorAt, out, first, count, head * c);
  }
}
