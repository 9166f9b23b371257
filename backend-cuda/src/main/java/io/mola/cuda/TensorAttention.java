package io.mola.cuda;

import io.mola.core.backend.AttentionShape;
import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Launch;

/** Attention on tensor cores: which calls they can serve, and how their kernels are launched. */
final class TensorAttention {
  private static final String GROUP = "attention_tensor";

  /** BLOCK_ROWS, PADDING and rows of tiles of attention_tensor.cu. */
  private static final int BLOCK_ROWS = 64;

  private static final int PADDING = 8;
  private static final int FORWARD_TILE = 64;
  private static final int BACKWARD_TILE = 32;

  private static final int THREADS = 128;
  private static final int SMALLEST_HEAD = 32;
  private static final int LARGEST_HEAD = 128;

  private final Workbench bench;

  TensorAttention(Workbench bench) {
    this.bench = bench;
  }

  /** Whether there are kernels for it: bfloat16, and heads that fit shared memory. */
  boolean serves(AttentionShape shape) {
    return bench.activation() == Element.BF16 && shape.headDim() <= LARGEST_HEAD;
  }

  /** Starts the launch of a kernel for heads of that size. */
  Launch kernel(String name, AttentionShape shape) {
    return bench.kernel(GROUP, name + "_" + padded(shape));
  }

  /** Queues the forward kernel whose arguments up to the shape are given. */
  void forward(Launch launch, AttentionShape shape, int n, boolean aligned) {
    int d = padded(shape);
    int rows = (BLOCK_ROWS + FORWARD_TILE) * (d + PADDING);
    int transposed = d * (FORWARD_TILE + PADDING);
    run(launch, shape, n, shape.heads(), rows + transposed, aligned);
  }

  /** Queues the kernel of dq. */
  void queryGradients(Launch launch, AttentionShape shape, int n, boolean aligned) {
    int d = padded(shape);
    int rows = 2 * (BLOCK_ROWS + BACKWARD_TILE) * (d + PADDING);
    int transposed = d * (BACKWARD_TILE + PADDING);
    run(launch, shape, n, shape.heads(), rows + transposed, aligned);
  }

  /** Queues the kernel of dk and dv. */
  void keyGradients(Launch launch, AttentionShape shape, int n, boolean aligned) {
    int d = padded(shape);
    int rows = 2 * (BLOCK_ROWS + BACKWARD_TILE) * (d + PADDING);
    int transposed = 2 * d * (BACKWARD_TILE + PADDING);
    run(launch, shape, n, shape.kvHeads(), rows + transposed, aligned);
  }

  private static void run(
      Launch launch, AttentionShape shape, int n, int heads, int elements, boolean aligned) {
    launch
        .flag(aligned && shape.headDim() % Workbench.PACK == 0)
        .shared(elements * Element.BF16.bytes())
        .run(((long) n + BLOCK_ROWS - 1) / BLOCK_ROWS, heads, THREADS);
  }

  /** The head dim that the kernels are compiled for: columns beyond the head's own are zeros. */
  private static int padded(AttentionShape shape) {
    int d = SMALLEST_HEAD;
    while (d < shape.headDim()) {
      d *= 2;
    }
    return d;
  }
}
