package io.mola.simd.attention;

import io.mola.core.backend.AttentionShape;
import io.mola.simd.attention.AttentionBackward.Inputs;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.tiles.MicroKernel;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import java.util.Arrays;

/**
 * {@code dk = scale · dsᵀ · q}, {@code dv = pᵀ · dOut}: a task is a key-value head and a block of
 * keys, which are the lanes. It walks the queries that may read the block, for each query head of
 * the group.
 */
final class KeyGradients {
  private static final int COLUMNS = MicroKernel.COLUMNS;
  private static final int ROWS = MicroKernel.ROWS;

  private final Workbench bench;
  private final AttentionShape shape;
  private final Batch batch;
  private final Inputs in;
  private final PackedHeads queryRows;
  private final PackedHeads queryColumns;
  private final PackedHeads outRows;
  private final PackedHeads outColumns;
  private final Rows dk;
  private final Rows dv;
  private final int c;
  private final int valuesAt;
  private final int scoresAt;
  private final int gradientsAt;
  private final int dkAt;
  private final int dvAt;
  private final int factorAt;
  private final int size;

  KeyGradients(
      Workbench bench,
      AttentionShape shape,
      Batch batch,
      Inputs in,
      PackedHeads queryRows,
      PackedHeads queryColumns,
      PackedHeads outRows,
      PackedHeads outColumns,
      Rows dk,
      Rows dv) {
    this.bench = bench;
    this.shape = shape;
    this.batch = batch;
    this.in = in;
    this.queryRows = queryRows;
    this.queryColumns = queryColumns;
    this.outRows = outRows;
    this.outColumns = outColumns;
    this.dk = dk;
    this.dv = dv;
    this.c = shape.headDim();
    // scratch: keys [c], values [c], p [KEYS], dp and ds [KEYS], dk and dv [c padded], one row
    int padded = (c + ROWS - 1) / ROWS * ROWS;
    this.valuesAt = c * COLUMNS;
    this.scoresAt = 2 * valuesAt;
    this.gradientsAt = scoresAt + KeyRanges.KEYS * COLUMNS;
    this.dkAt = gradientsAt + KeyRanges.KEYS * COLUMNS;
    this.dvAt = dkAt + padded * COLUMNS;
    this.factorAt = dvAt + padded * COLUMNS;
    this.size = factorAt + COLUMNS;
  }

  Stage stage() {
    return Stage.of(batch.blocks() * shape.kvHeads(), this::task);
  }

  private void task(int task, int worker) {
    int block = task / shape.kvHeads();
    int kvHead = task % shape.kvHeads();
    int first = batch.first(block);
    int count = batch.count(block);
    float[] s = bench.scratch()[worker].sums(size);
    LanePanel.turn(in.k(), first, count, kvHead * c, c, shape.scale(), s, 0);
    LanePanel.turn(in.v(), first, count, kvHead * c, c, 1f, s, valuesAt);
    Arrays.fill(s, dkAt, factorAt, 0f);
    int group = shape.heads() / shape.kvHeads();
    int last = (batch.readersEnd(first) + ROWS - 1) / ROWS;
    for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (int tile = first / ROWS; tile < last; tile += KeyRanges.TILES) {
        queries(head, s, tile, Math.min(KeyRanges.TILES, last - tile), first, count);
      }
    }
    Arrays.fill(s, factorAt, factorAt + COLUMNS, shape.scale());
    LanePanel.turnBack(s, dkAt, c, s, factorAt, dk, first, count, kvHead * c);
    Arrays.fill(s, factorAt, factorAt + COLUMNS, 1f);
    LanePanel.turnBack(s, dvAt, c, s, factorAt, dv, first, count, kvHead * c);
  }

  private void queries(int head, float[] s, int tile, int tiles, int first, int count) {
    int zero = tile * ROWS;
    int from = Math.max(first, zero);
    int to = Math.min(batch.readersEnd(first), (tile + tiles) * ROWS);
    queryRows.times(head, tile, tiles, s, 0, s, scoresAt);
    outRows.times(head, tile, tiles, s, valuesAt, s, gradientsAt);
    int rows = to - from;
    int p = scoresAt + (from - zero) * COLUMNS;
    int d = gradientsAt + (from - zero) * COLUMNS;
    for (int r = 0; r < rows; r++) {
      mask(s, p + r * COLUMNS, d + r * COLUMNS, from + r, first, count);
      float lse = in.lse().data()[in.lse().at(from + r) + head];
      LanePanel.subtract(s, p + r * COLUMNS, lse);
    }
    Exponential.apply(s, p, rows * COLUMNS);
    outColumns.addTransposedTimes(head, from, rows, s, p, s, dvAt);
    for (int r = 0; r < rows; r++) {
      float delta = in.delta().data()[in.delta().at(from + r) + head];
      LanePanel.scoreGradients(s, p + r * COLUMNS, s, d + r * COLUMNS, delta);
    }
    queryColumns.addTransposedTimes(head, from, rows, s, d, s, dkAt);
  }

  /** Masks the keys of the block that query t does not see. */
  private void mask(float[] s, int p, int d, int t, int first, int count) {
    int start = batch.start(t);
    boolean own = start <= first;
    int low = own ? start : batch.prefixStart(t);
    int high = own ? t + 1 : batch.prefixEnd(t);
    long base = own ? t : (long) batch.prefixEnd(t) + t - start;
    long begin = Math.max(low, base - shape.window() + 1) - first;
    int from = Math.clamp(begin, 0, COLUMNS);
    int to = Math.clamp((long) high - first, 0, count);
    if (from > 0 || to < COLUMNS) {
      LanePanel.mask(s, p, from, to, Float.NEGATIVE_INFINITY);
      LanePanel.mask(s, d, from, to, 0f);
    }
  }
}
