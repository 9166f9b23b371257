package io.mola.simd.attention;

import io.mola.core.backend.AttentionShape;
import io.mola.simd.lanes.Sums;
import io.mola.simd.tiles.PackedActivations;
import io.mola.simd.tiles.Workbench;
import io.mola.simd.work.Stage;
import io.mola.simd.work.Workspace;

/**
 * Gradients of attention. Scores are computed again, twice: once with queries as lanes for dq, once
 * with keys as lanes for dk and dv, so that each gradient is summed by one task in one order and
 * nothing is shared between tasks.
 */
public final class AttentionBackward {
  private static final int ROWS_PER_TASK = 16;

  private AttentionBackward() {}

  /**
   * What is read.
   *
   * @param delta [n, h], receives {@code dOut · out} first
   */
  public record Inputs(Rows dOut, Rows q, Rows k, Rows v, Rows out, Rows lse, Rows delta) {}

  /** See {@link io.mola.core.backend.AttentionOps#backward}. */
  public static void run(
      Workbench bench,
      AttentionShape shape,
      int[] spans,
      int n,
      Inputs in,
      Rows dq,
      Rows dk,
      Rows dv) {
    Workspace workspace = bench.workspace();
    workspace.reset();
    Batch batch = new Batch(spans, n);
    int c = shape.headDim();
    int heads = shape.heads();
    int kvHeads = shape.kvHeads();
    PackedHeads queryRows = PackedHeads.rows(workspace, n, heads, c);
    PackedHeads queryColumns = PackedHeads.columns(workspace, n, heads, c);
    PackedHeads outRows = PackedHeads.rows(workspace, n, heads, c);
    PackedHeads outColumns = PackedHeads.columns(workspace, n, heads, c);
    PackedHeads keyRows = PackedHeads.rows(workspace, n, kvHeads, c);
    PackedHeads keyColumns = PackedHeads.columns(workspace, n, kvHeads, c);
    PackedHeads valueRows = PackedHeads.rows(workspace, n, kvHeads, c);
    QueryGradients queries =
        new QueryGradients(bench, shape, batch, in, keyRows, keyColumns, valueRows, dq);
    KeyGradients keys =
        new KeyGradients(
            bench, shape, batch, in, queryRows, queryColumns, outRows, outColumns, dk, dv);
    Stage packing =
        Stage.all(
            queryRows.packRows(in.q),
            queryColumns.packColumns(in.q),
            outRows.packRows(in.dOut),
            outColumns.packColumns(in.dOut),
            keyRows.packRows(in.k),
            keyColumns.packColumns(in.k),
            valueRows.packRows(in.v),
            deltas(bench, shape, n, in));
    bench.pool().run(packing, Stage.all(keys.stage(), queries.stage()));
  }

  private static Stage deltas(Workbench bench, AttentionShape shape, int n, Inputs in) {
    int c = shape.headDim();
    return Stage.of(
        (n + ROWS_PER_TASK - 1) / ROWS_PER_TASK,
        (task, worker) -> {
          float[] lanes = bench.scratch()[worker].lanes;
          int end = Math.min(n, (task + 1) * ROWS_PER_TASK);
          for (int t = task * ROWS_PER_TASK; t < end; t++) {
            for (int head = 0; head < shape.heads(); head++) {
              int o = head * c;
              in.delta.data()[in.delta.at(t) + head] =
                  Sums.dot(
                      in.dOut.data(), in.dOut.at(t) + o, in.out.data(), in.out.at(t) + o, c, lanes);
            }
          }
        });
  }

  /** Ints that the packed operands of n tokens take at most. */
  public static long packedInts(int n, int queryWidth, int keyWidth) {
    return 4 * PackedActivations.bound(n, queryWidth) + 3 * PackedActivations.bound(n, keyWidth);
  }
}
