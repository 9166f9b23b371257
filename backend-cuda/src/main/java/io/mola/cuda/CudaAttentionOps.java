package io.mola.cuda;

import io.mola.core.backend.AttentionOps;
import io.mola.core.backend.AttentionShape;
import io.mola.core.failure.UsageException;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Launch;

/** Rotary embedding and attention by tiles, with recomputed probabilities in the backward pass. */
final class CudaAttentionOps implements AttentionOps {
  private static final String GROUP = "attention";

  /** ROWS and TILE of attention.cu. */
  private static final int ROWS_PER_WARP = 4;

  private static final int TILE = 32;
  private static final int WARP = 32;
  private static final int LARGEST_HEAD = 256;

  /** Up to so many new rows, the cache is read by a block per row instead of one per tile. */
  private static final int FEW_ROWS = 8;

  private final Workbench bench;
  private final TensorAttention tensor;

  CudaAttentionOps(Workbench bench) {
    this.bench = bench;
    this.tensor = new TensorAttention(bench);
  }

  @Override
  public void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction) {
    bench.begin(() -> "attention.rotate of qk " + qk);
    long pairs = (long) qk.rows() * (qk.cols() / 2);
    Workbench.runEach(
        bench
            .kernel("rotary", "rotate")
            .i64(act(qk))
            .i64(f32(table))
            .i64(CudaIntTensor.of(positions).address())
            .i32(qk.rows())
            .i32(qk.cols())
            .i32(table.cols())
            .f32(direction == Direction.FORWARD ? 1 : -1),
        pairs);
  }

  @Override
  public void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse) {
    bench.begin(() -> "attention.forward of q " + q + ", " + shape);
    long spansAddress = CudaIntTensor.of(spans).address();
    tiled(new Sequence(q, k, v), spansAddress, 0, shape, act(out), f32(lse));
  }

  @Override
  public void forwardCached(
      Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out) {
    bench.begin(() -> "attention.forwardCached of q " + q + " behind " + past + ", " + shape);
    if (q.rows() > FEW_ROWS) {
      tiled(new Sequence(q, k, v), 0, past, shape, act(out), 0);
      return;
    }
    int warps = warps(shape, 8);
    bench
        .kernel("attention_cached", "attention_cached_" + columns(shape))
        .i64(act(q))
        .i64(act(k))
        .i64(act(v))
        .i64(act(out))
        .i32(past)
        .i32(shape.heads())
        .i32(shape.heads() / shape.kvHeads())
        .i32(shape.headDim())
        .i32(shape.window())
        .f32(shape.scale())
        .flag(Workbench.whole(shape.headDim(), act(k)))
        .shared(Float.BYTES * (shape.headDim() * (1 + warps) + 2 * warps))
        .run(q.rows(), shape.heads(), warps * WARP);
  }

  private record Sequence(Tensor q, Tensor k, Tensor v) {}

  private void tiled(Sequence at, long spans, int past, AttentionShape shape, long out, long lse) {
    boolean onTensorCores = tensor.serves(shape);
    int n = at.q.rows();
    Launch launch =
        (onTensorCores
                ? tensor.kernel("tensor_forward", shape)
                : bench.kernel(GROUP, "attention_forward_" + columns(shape)))
            .i64(act(at.q))
            .i64(act(at.k))
            .i64(act(at.v))
            .i64(spans)
            .i64(out)
            .i64(lse)
            .i32(n)
            .i32(Math.min(at.k.rows(), past + n))
            .i32(past);
    shape(launch, shape);
    if (onTensorCores) {
      tensor.forward(launch, shape, n, Workbench.aligned(act(at.q), act(at.k), act(at.v)));
      return;
    }
    int warps = warps(shape, 4);
    int rows = warps * ROWS_PER_WARP;
    launch.shared(sharedBytes(shape, rows, 1)).run(blocks(n, rows), shape.heads(), warps * WARP);
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
    bench.begin(() -> "attention.backward of q " + q + ", " + shape);
    int n = q.rows();
    int warps = warps(shape, 2);
    int rows = warps * ROWS_PER_WARP;
    long count = (long) n * shape.heads();
    Workbench.runEach(
        bench
            .kernel(GROUP, "attention_delta")
            .i64(act(dOut))
            .i64(act(out))
            .i64(f32(delta))
            .i64(count)
            .i32(shape.headDim()),
        count * WARP);
    boolean onTensorCores = tensor.serves(shape);
    Operands operands = new Operands(dOut, q, k, v, lse, delta, spans);
    Launch queries = operands(operands, "query_gradients", shape).i64(act(dq)).i32(n);
    shape(queries, shape);
    boolean aligned = Workbench.aligned(act(dOut), act(q), act(k), act(v));
    if (onTensorCores) {
      tensor.queryGradients(queries, shape, n, aligned);
    } else {
      queries.shared(sharedBytes(shape, rows, 2)).run(blocks(n, rows), shape.heads(), warps * WARP);
    }
    Launch keys = operands(operands, "key_gradients", shape).i64(act(dk)).i64(act(dv)).i32(n);
    shape(keys, shape);
    if (onTensorCores) {
      tensor.keyGradients(keys, shape, n, aligned);
    } else {
      keys.shared(sharedBytes(shape, rows, 2)).run(blocks(n, rows), shape.kvHeads(), warps * WARP);
    }
  }

  /** What both kernels of the backward pass read. */
  private record Operands(
      Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor lse, Tensor delta, IntTensor spans) {}

  private Launch operands(Operands at, String kernel, AttentionShape shape) {
    Launch launch =
        tensor.serves(shape)
            ? tensor.kernel("tensor_" + kernel, shape)
            : bench.kernel(GROUP, "attention_" + kernel + "_" + columns(shape));
    return launch
        .i64(act(at.dOut))
        .i64(act(at.q))
        .i64(act(at.k))
        .i64(act(at.v))
        .i64(f32(at.lse))
        .i64(f32(at.delta))
        .i64(CudaIntTensor.of(at.spans).address());
  }

  private static Launch shape(Launch launch, AttentionShape shape) {
    return launch
        .i32(shape.heads())
        .i32(shape.heads() / shape.kvHeads())
        .i32(shape.headDim())
        .i32(shape.window())
        .f32(shape.scale());
  }

  /**
   * The kernels' shared memory: rows of the block and weights of its warps, {@code operands} of
   * each, two tiles, and room behind the last for the columns that are read and not used.
   */
  private static int sharedBytes(AttentionShape shape, int rows, int operands) {
    int padded = (shape.headDim() + 3) / 4 * 4;
    int own = operands * rows * (padded + TILE);
    int tiles = 2 * TILE * (padded + 1);
    return Float.BYTES * (own + tiles + columns(shape) * WARP);
  }

  /** Warps of a block: fewer for the longest heads, so that the block fits 99 KiB everywhere. */
  private static int warps(AttentionShape shape, int forLongHeads) {
    return shape.headDim() <= LARGEST_HEAD / 2 ? 8 : forLongHeads;
  }

  private static long blocks(int n, int rows) {
    return ((long) n + rows - 1) / rows;
  }

  /** Columns of a head that one lane of a warp owns: a power of two. */
  private static int columns(AttentionShape shape) {
    int c = shape.headDim();
    if (c > LARGEST_HEAD) {
      throw new UsageException(
          "head dim "
              + c
              + " is more than the CUDA kernels' "
              + LARGEST_HEAD
              + ": use --backend simd");
    }
    int columns = (c + WARP - 1) / WARP;
    return columns == 1 ? 1 : Integer.highestOneBit(columns - 1) << 1;
  }

  private long act(Tensor tensor) {
    return CudaTensor.of(tensor, bench.activation()).address();
  }

  private static long f32(Tensor tensor) {
    return CudaTensor.of(tensor, Element.F32).address();
  }
}
