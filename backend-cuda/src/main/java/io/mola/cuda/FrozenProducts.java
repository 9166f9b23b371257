package io.mola.cuda;

import io.mola.core.quant.QuantType;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Operand;
import io.mola.cuda.driver.Workspace;

/**
 * Products with frozen matrices. A matrix that lies decoded is multiplied as it is. Another is
 * decoded by tiles of rows into the workspace, each tile multiplied before the next takes its
 * place: a tile is small enough to stay in the device's L2 cache between the two.
 */
final class FrozenProducts {
  /** Elements of a tile: 16 MiB as bfloat16, a third of an H100's L2 cache. */
  private static final long TILE_ELEMENTS = 8L << 20;

  /** Rows of a tile are a multiple of it, so that each tile starts at a whole run of RUN bytes. */
  private static final int ROW_MULTIPLE = 64;

  /** RUN of weights.cu: elements that a block of threads decodes. */
  private static final int RUN = 2048;

  private final Workbench bench;

  FrozenProducts(Workbench bench) {
    this.bench = bench;
  }

  /** Receives a tile: rows {@code first ..} of the matrix as [rows, in]. */
  @FunctionalInterface
  interface TileUser {
    void use(Operand tile, int first, int rows);
  }

  /** {@code y[n,out] = x[n,in] · Wᵀ}, or with {@code add} {@code +=}. */
  void forward(Operand x, CudaFrozenMatrix matrix, Operand y, int n, boolean add) {
    eachTile(
        matrix,
        tileHeight(matrix),
        (tile, first, rows) ->
            bench
                .products()
                .multiply(x, tile.transpose(), y.fromColumn(first), n, rows, matrix.in(), add));
  }

  /** {@code dx[n,in] += dy[n,out] · W}, or without {@code add} {@code =}. */
  void backward(Operand dy, CudaFrozenMatrix matrix, Operand dx, int n, boolean add) {
    eachTile(
        matrix,
        tileHeight(matrix),
        (tile, first, rows) ->
            bench
                .products()
                .multiply(dy.fromColumn(first), tile, dx, n, matrix.in(), rows, add || first > 0));
  }

  /** All rows of the matrix, tile by tile of at most {@code height} rows. */
  void eachTile(CudaFrozenMatrix matrix, int height, TileUser user) {
    Element element = bench.activation();
    QuantType type = matrix.stored().type();
    int in = matrix.in();
    Workspace.Mark mark = bench.workspace().mark();
    boolean decoded = matrix.isDecoded();
    // the workspace before the matrix: taking it may move matrices
    long tile = decoded ? 0 : bench.workspace().take((long) height * in * element.bytes());
    long address = matrix.fetch();
    for (int first = 0; first < matrix.out(); first += height) {
      int rows = Math.min(height, matrix.out() - first);
      if (decoded) {
        tile = address + (long) first * in * element.bytes();
      } else {
        decode(bench, type, address + first * type.rowBytes(in), (long) rows * in, tile);
      }
      user.use(Operand.of(tile, element, in), first, rows);
    }
    matrix.done();
    bench.workspace().release(mark);
  }

  /**
   * Rows of a tile. A matrix that may lie in either form has the same tiles in both, so that the
   * room for it changes no bits.
   */
  private int tileHeight(CudaFrozenMatrix matrix) {
    QuantType type = matrix.stored().type();
    boolean alwaysDecoded =
        type.blockLength() == 1 && type.blockBytes() >= bench.activation().bytes();
    return alwaysDecoded ? matrix.out() : tileRows(matrix.out(), matrix.in());
  }

  /** Rows of a tile of a matrix [out, in]. */
  static int tileRows(int out, int in) {
    long rows = Math.max(1, TILE_ELEMENTS / in / ROW_MULTIPLE) * ROW_MULTIPLE;
    return (int) Math.min(out, rows);
  }

  /** Elements of the largest tile of any matrix with rows of up to that length. */
  static long largestTile(int widest) {
    return Math.max(TILE_ELEMENTS, (long) ROW_MULTIPLE * widest);
  }

  /** Enqueues decoding of {@code elements} elements to act. */
  static void decode(Workbench bench, QuantType type, long from, long elements, long to) {
    bench
        .kernel("weights", "decode")
        .i32(type.ggufId())
        .i64(from)
        .i64(elements)
        .i64(to)
        .run((elements + RUN - 1) / RUN, RUN / Workbench.PACK);
  }

  /** Enqueues a look for values that are not finite: then the int at {@code found} becomes 1. */
  static void findNotFinite(Workbench bench, QuantType type, long from, long elements, long found) {
    bench
        .kernel("weights", "find_not_finite")
        .i32(type.ggufId())
        .i64(from)
        .i64(elements)
        .i64(found)
        .run((elements + RUN - 1) / RUN, RUN / Workbench.PACK);
  }
}
