package io.mola.simd.tiles;

import io.mola.simd.work.Stage;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * {@code y (+)= Σ_i x_i · w_i}, cut into tasks by output tiles only: each output is summed by one
 * task in one order, so the result does not depend on threads, nor on how tasks are cut.
 *
 * <p>A task is some panels times some tiles. Block of k by block of k, panel by panel, it widens
 * the block of the panel into scratch memory and multiplies all its tiles with it. Between blocks
 * the sums stay in a contiguous scratch; y, whose rows may lie a power of two apart, is read in the
 * first block and written in the last. A further term is just more blocks.
 *
 * <p>Weights that are decoded at each use meet several times as many tiles in a task, still some
 * tiles after the other, so that these come from the inner cache.
 */
public final class Product implements Stage {
  /** Up to this many rows are multiplied one by one, four panels at once. */
  static final int FEW_ROWS = 2;

  private static final int ROWS = MicroKernel.ROWS;
  private static final int COLUMNS = MicroKernel.COLUMNS;
  private static final int TILE = ROWS * COLUMNS;

  /** Rows of an output tile that {@link MicroKernel#half} computes. */
  private static final int HALF_ROWS = 4;

  /** Tiles that are multiplied with a block of a panel in turn: about 130 to 200 tokens. */
  private static final int TILES_AT_ONCE = 26;

  /** Tasks for each worker with decoded weights, if there are tiles enough. */
  private static final int TASKS_PER_WORKER = 2;

  /** Floats of the sums of a task with decoded weights: half of the inner cache. */
  private static final int DECODED_SUMS = 1 << 16;

  /** Panels of a task: many, so that a block of x is seldom read from the outer cache. */
  private static final int PANELS_PER_TASK = 16;

  /** Fewer panels per task if there would be fewer tasks than this to balance. */
  private static final int FEWEST_TASKS = 24;

  private final float[] y;
  private final int yo;
  private final int ld;
  private final boolean add;
  private final @Nullable Mask mask;
  private final Term[] terms;
  private final WorkerScratch[] scratch;
  private final int n;
  private final int columns;
  private final int panels;
  private final boolean few;
  private final int tileBlocks;
  private final int tilesPerTask;
  private final int panelsPerTask;

  private Product(
      WorkerScratch[] scratch,
      float[] y,
      int yo,
      int ld,
      boolean add,
      @Nullable Mask mask,
      Term... terms) {
    this.y = y;
    this.yo = yo;
    this.ld = ld;
    this.add = add;
    this.mask = mask;
    this.terms = terms;
    this.scratch = scratch;
    this.n = terms[0].x().n();
    this.columns = terms[0].w().n();
    this.panels = terms[0].w().count();
    int decodedTogether = 0;
    for (Term term : terms) {
      if (term.w().isDecodedAtEachUse()) {
        decodedTogether = Math.max(decodedTogether, term.w().together());
      }
    }
    boolean decoded = decodedTogether > 0;
    // decoded panels of one matrix share a buffer, so that four of them cannot stand side by side
    this.few = n <= FEW_ROWS && mask == null && !decoded;
    int tiles = terms[0].x().tiles();
    int most = decoded ? DECODED_SUMS / (decodedTogether * TILE) : TILES_AT_ONCE;
    int blocks = PackedActivations.ceiling(tiles, Math.max(TILES_AT_ONCE, most));
    if (decoded) {
      int groups = PackedActivations.ceiling(panels, decodedTogether);
      int wanted = PackedActivations.ceiling(TASKS_PER_WORKER * scratch.length, groups);
      blocks = Math.max(blocks, Math.min(tiles, wanted));
    }
    this.tileBlocks = blocks;
    this.tilesPerTask = PackedActivations.ceiling(tiles, tileBlocks);
    if (few) {
      this.panelsPerTask = MicroKernel.ROW_PANELS;
    } else {
      this.panelsPerTask = decoded ? decodedTogether : panelsPerTask();
    }
  }

  private int panelsPerTask() {
    int group = PANELS_PER_TASK;
    int fewest = terms[0].w().together();
    while (group > fewest && tileBlocks * PackedActivations.ceiling(panels, group) < FEWEST_TASKS) {
      group /= 2;
    }
    return group;
  }

  /**
   * The tasks of a product.
   *
   * @param y row-major at {@code yo}, rows {@code ld} apart
   * @param add {@code +=}, else {@code =}
   * @param terms at least one, all of the same n and outputs
   */
  public static Stage of(Workbench bench, float[] y, int yo, int ld, boolean add, Term... terms) {
    return of(bench, y, yo, ld, add, null, terms);
  }

  /**
   * The tasks of a product whose first term is masked: {@code y (+)= (x_0 · w_0) ⊙ D + Σ_{i>0} x_i
   * · w_i}.
   *
   * @param mask D; null: nothing is masked
   */
  public static Stage of(
      Workbench bench, float[] y, int yo, int ld, boolean add, @Nullable Mask mask, Term... terms) {
    return new Product(bench.scratch(), y, yo, ld, add, mask, terms);
  }

  @Override
  public int count() {
    return PackedActivations.ceiling(panels, panelsPerTask) * tileBlocks;
  }

  @Override
  public void run(int task, int worker) {
    // a share of the rows for each worker, which mostly packed them itself; in a share by panels
    int groups = PackedActivations.ceiling(panels, panelsPerTask);
    int shares = Math.min(scratch.length, tileBlocks);
    int share = 0;
    while (task >= groups * firstBlock(share + 1, shares)) {
      share++;
    }
    int first = firstBlock(share, shares);
    int blocks = firstBlock(share + 1, shares) - first;
    int rest = task - groups * first;
    int p0 = rest / blocks * panelsPerTask;
    int p1 = Math.min(panels, p0 + panelsPerTask);
    int t0 = Math.min(terms[0].x().tiles(), (first + rest % blocks) * tilesPerTask);
    int t1 = Math.min(terms[0].x().tiles(), t0 + tilesPerTask);
    if (few) {
      fewRows(p0, p1, scratch[worker]);
    } else {
      for (int i = 0; i < terms.length; i++) {
        term(i, p0, p1, t0, t1, scratch[worker]);
      }
    }
  }

  private int firstBlock(int share, int shares) {
    return share * tileBlocks / shares;
  }

  private void term(int i, int p0, int p1, int t0, int t1, WorkerScratch s) {
    PackedActivations x = terms[i].x();
    Panels w = terms[i].w();
    int from = terms[i].from();
    boolean masked = i == 0 && mask != null;
    float[] sums = s.sums((p1 - p0) * (t1 - t0) * TILE);
    for (int k0 = 0; k0 < x.k(); k0 += x.step()) {
      int kc = Math.min(x.step(), x.k() - k0);
      boolean first = i == 0 && k0 == 0;
      boolean last = i == terms.length - 1 && k0 + kc == x.k();
      boolean load = !first || (add && !masked);
      boolean fromY = first && !masked;
      boolean toY = last && !masked;
      for (int g = p0; g < p1; g += w.together()) {
        int end = Math.min(p1, g + w.together());
        for (int b0 = t0; b0 < t1; b0 += TILES_AT_ONCE) {
          int b1 = Math.min(t1, b0 + TILES_AT_ONCE);
          for (int p = g; p < end; p++) {
            int wo = w.load(p, from + k0, kc, s, 1, 0);
            int so = ((p - p0) * (t1 - t0) + b0 - t0) * TILE;
            int whole = p * COLUMNS + COLUMNS <= columns ? Math.min(b1, n / ROWS) : b0;
            int edge = Math.max(b0, whole);
            wholeTiles(x, k0, kc, w.array(s), wo, p, b0, edge, load, fromY, toY, sums, so);
            for (int t = edge; t < b1; t++) {
              int at = so + (t - b0) * TILE;
              edgeTile(x, k0, kc, w.array(s), wo, p, t, load, fromY, toY, sums, at);
            }
          }
        }
      }
    }
    if (masked) {
      mask(p0, p1, t0, t1, sums);
    }
  }

  /** Masks the sums of the first term and adds y; they go to y unless the next term takes them. */
  private void mask(int p0, int p1, int t0, int t1, float[] sums) {
    Mask drawn = Objects.requireNonNull(mask);
    boolean toY = terms.length == 1;
    for (int p = p0; p < p1; p++) {
      int width = Math.min(COLUMNS, columns - p * COLUMNS);
      for (int t = t0; t < t1; t++) {
        int so = ((p - p0) * (t1 - t0) + t - t0) * TILE;
        int rows = Math.min(ROWS, n - t * ROWS);
        int at = yo + t * ROWS * ld + p * COLUMNS;
        if (add && width == COLUMNS) {
          drawn.applyAndAdd(sums, so, t * ROWS, rows, p, y, at, ld);
        } else {
          drawn.apply(sums, so, t * ROWS, rows, p);
          if (add) {
            addColumns(sums, so, rows, width, at);
          }
        }
        if (toY) {
          for (int r = 0; r < rows; r++) {
            System.arraycopy(sums, so + r * COLUMNS, y, at + r * ld, width);
          }
        }
      }
    }
  }

  private void addColumns(float[] sums, int so, int rows, int width, int at) {
    for (int r = 0; r < rows; r++) {
      for (int j = 0; j < width; j++) {
        sums[so + r * COLUMNS + j] += y[at + r * ld + j];
      }
    }
  }

  /** Tiles that lie wholly inside y. */
  private void wholeTiles(
      PackedActivations x,
      int k0,
      int kc,
      float[] w,
      int wo,
      int p,
      int t0,
      int t1,
      boolean load,
      boolean fromY,
      boolean toY,
      float[] sums,
      int so) {
    int stride = x.stride(k0);
    int xo = x.offset(k0, t0);
    int at = yo + t0 * ROWS * ld + p * COLUMNS;
    float[] in = fromY ? y : sums;
    float[] to = toY ? y : sums;
    int io = fromY ? at : so;
    int oo = toY ? at : so;
    int ldi = fromY ? ld : COLUMNS;
    int ldo = toY ? ld : COLUMNS;
    int[] data = x.data();
    for (int t = 0; t < t1 - t0; t++) {
      MicroKernel.tile(
          data,
          xo + t * stride,
          w,
          wo,
          kc,
          load,
          in,
          io + t * ROWS * ldi,
          ldi,
          to,
          oo + t * ROWS * ldo,
          ldo);
    }
  }

  /** A tile that reaches beyond y goes through the scratch as a whole. */
  private void edgeTile(
      PackedActivations x,
      int k0,
      int kc,
      float[] w,
      int wo,
      int p,
      int t,
      boolean load,
      boolean fromY,
      boolean toY,
      float[] sums,
      int so) {
    int rows = Math.min(ROWS, n - t * ROWS);
    int width = Math.min(COLUMNS, columns - p * COLUMNS);
    int at = yo + t * ROWS * ld + p * COLUMNS;
    if (load && fromY) {
      for (int r = 0; r < rows; r++) {
        System.arraycopy(y, at + r * ld, sums, so + r * COLUMNS, width);
      }
    }
    int xo = x.offset(k0, t);
    if (ROWS == 8 && width <= COLUMNS / 2) {
      MicroKernel.narrow8(x.data(), xo, w, wo, kc, load, sums, so, COLUMNS, sums, so, COLUMNS);
    } else if (rows <= HALF_ROWS) {
      MicroKernel.half(x.data(), xo, w, wo, kc, load, sums, so, COLUMNS, sums, so, COLUMNS);
    } else {
      MicroKernel.tile(x.data(), xo, w, wo, kc, load, sums, so, COLUMNS, sums, so, COLUMNS);
    }
    if (toY) {
      for (int r = 0; r < rows; r++) {
        System.arraycopy(sums, so + r * COLUMNS, y, at + r * ld, width);
      }
    }
  }

  /** One or two rows: the panels are widened four at a time and each row is multiplied alone. */
  private void fewRows(int p0, int p1, WorkerScratch s) {
    int slab = MicroKernel.ROW_PANELS * COLUMNS;
    float[] sums = s.sums(FEW_ROWS * slab);
    for (int r = 0; r < n; r++) {
      Arrays.fill(sums, r * slab, (r + 1) * slab, 0f);
      if (add) {
        copyRow(p0, p1, r, sums, r * slab, true);
      }
    }
    for (Term term : terms) {
      PackedActivations x = term.x();
      Panels w = term.w();
      for (int k0 = 0; k0 < x.k(); k0 += x.step()) {
        int kc = Math.min(x.step(), x.k() - k0);
        int w0 = w.load(p0, term.from() + k0, kc, s, MicroKernel.ROW_PANELS, 0);
        int w1 = p0 + 1 < p1 ? w.load(p0 + 1, term.from() + k0, kc, s, 4, 1) : w0;
        int w2 = p0 + 2 < p1 ? w.load(p0 + 2, term.from() + k0, kc, s, 4, 2) : w0;
        int w3 = p0 + 3 < p1 ? w.load(p0 + 3, term.from() + k0, kc, s, 4, 3) : w0;
        for (int r = 0; r < n; r++) {
          MicroKernel.row(
              x.data(), x.offset(k0, 0) + r, w.array(s), w0, w1, w2, w3, kc, sums, r * slab);
        }
      }
    }
    for (int r = 0; r < n; r++) {
      copyRow(p0, p1, r, sums, r * slab, false);
    }
  }

  private void copyRow(int p0, int p1, int r, float[] sums, int so, boolean in) {
    int from = yo + r * ld + p0 * COLUMNS;
    int width = Math.min(p1 * COLUMNS, columns) - p0 * COLUMNS;
    if (in) {
      System.arraycopy(y, from, sums, so, width);
    } else {
      System.arraycopy(sums, so, y, from, width);
    }
  }
}
