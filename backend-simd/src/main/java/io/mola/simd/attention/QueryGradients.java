package io.mola.simd.attention;

import io.mola.core.backend.AttentionShape;
import io.mola.simd.attention.AttentionBackward.Inputs;
import io.mola.simd.lanes.Exponential;
import io.mola.simd.tiles.MicroKernel;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import java.util.Arrays;

/** {@code dq = scale · ds · k}: a task is a head and a block of queries, which are the lanes. */
final class QueryGradients {
  private static final int COLUMNS = MicroKernel.COLUMNS;

  private final Workbench bench;
  private final AttentionShape shape;
  private final Batch batch;
  private final Inputs in;
  private final PackedHeads keyRows;
  private final PackedHeads keyColumns;
  private final PackedHeads valueRows;
  private final Rows dq;
  private final int c;
  private final int outAt;
  private final int scoresAt;
  private final int gradientsAt;
  private final int sumsAt;
  private final int lseAt;
  private final int deltaAt;
  private final int factorAt;
  private final int size;
  private final KeyRanges.Keys visitor = this::visit;

  QueryGradients(
      Workbench bench,
      AttentionShape shape,
      Batch batch,
      Inputs in,
      PackedHeads keyRows,
      PackedHeads keyColumns,
      PackedHeads valueRows,
      Rows dq) {
    this.bench = bench;
    this.shape = shape;
    this.batch = batch;
    this.in = in;
    this.keyRows = keyRows;
    this.keyColumns = keyColumns;
    this.valueRows = valueRows;
    this.dq = dq;
    this.c = shape.headDim();
    // scratch: queries [c], dOut [c], p [KEYS], dp and ds [KEYS], dq [c padded], then single rows
    int padded = (c + MicroKernel.ROWS - 1) / MicroKernel.ROWS * MicroKernel.ROWS;
    this.outAt = c * COLUMNS;
    this.scoresAt = 2 * outAt;
    this.gradientsAt = scoresAt + KeyRanges.KEYS * COLUMNS;
    this.sumsAt = gradientsAt + KeyRanges.KEYS * COLUMNS;
    this.lseAt = sumsAt + padded * COLUMNS;
    this.deltaAt = lseAt + COLUMNS;
    this.factorAt = deltaAt + COLUMNS;
    this.size = factorAt + COLUMNS;
  }

  Stage stage() {
    return Stage.of(batch.blocks() * shape.heads(), this::task);
  }

  private void task(int task, int worker) {
    int block = task / shape.heads();
    int head = task % shape.heads();
    int kvHead = head / (shape.heads() / shape.kvHeads());
    int first = batch.first(block);
    int count = batch.count(block);
    float[] s = bench.scratch()[worker].sums(size);
    LanePanel.turn(in.q(), first, count, head * c, c, shape.scale(), s, 0);
    LanePanel.turn(in.dOut(), first, count, head * c, c, 1f, s, outAt);
    Arrays.fill(s, sumsAt, deltaAt + COLUMNS, 0f);
    for (int lane = 0; lane < count; lane++) {
      s[lseAt + lane] = in.lse().data()[in.lse().at(first + lane) + head];
      s[deltaAt + lane] = in.delta().data()[in.delta().at(first + lane) + head];
    }
    KeyRanges.walk(batch, first, count, 0, shape.window(), visitor, kvHead, s);
    Arrays.fill(s, factorAt, factorAt + COLUMNS, shape.scale());
    LanePanel.turnBack(s, sumsAt, c, s, factorAt, dq, first, count, head * c);
  }

  private void visit(int tile, int tiles, int from, int to, long base, int kvHead, float[] s) {
    keyRows.times(kvHead, tile, tiles, s, 0, s, scoresAt);
    valueRows.times(kvHead, tile, tiles, s, outAt, s, gradientsAt);
    int zero = tile * MicroKernel.ROWS;
    int window = shape.window();
    KeyRanges.mask(s, scoresAt, zero, from, to, base, window, Float.NEGATIVE_INFINITY);
    KeyRanges.mask(s, gradientsAt, zero, from, to, base, window, 0f);
    int rows = to - from;
    int p = scoresAt + (from - zero) * COLUMNS;
    int d = gradientsAt + (from - zero) * COLUMNS;
    LanePanel.subtract(s, p, rows, s, lseAt);
    Exponential.apply(s, p, rows * COLUMNS);
    LanePanel.scoreGradients(s, p, s, d, rows, s, deltaAt);
    keyColumns.addTransposedTimes(kvHead, from, rows, s, d, s, sumsAt);
  }
}
