package io.mola.simd.attention;

import io.mola.simd.tiles.MicroKernel;
import java.util.Arrays;

/**
 * What the tokens of a batch see (the spans of {@link io.mola.core.backend.AttentionOps}), and the
 * batch cut into blocks: runs of at most COLUMNS tokens that see the same prefix and segment, so
 * that they share their keys and their readers.
 */
final class Batch {
  private static final int WIDTH = 4;

  private final int[] spans;
  private int[] firsts = new int[0];
  private int blocks;
  private final int n;

  Batch(int[] spans, int n) {
    this.spans = spans;
    this.n = n;
    cut();
  }

  /** A batch of one sequence of which n tokens are new. */
  static Batch sequence(int n) {
    int[] spans = new int[n * WIDTH];
    for (int t = 0; t < n; t++) {
      spans[t * WIDTH + 3] = n;
    }
    return new Batch(spans, n);
  }

  private void cut() {
    firsts = new int[n / MicroKernel.COLUMNS + 2];
    for (int t = 0; t < n; t++) {
      boolean full = blocks > 0 && t - firsts[blocks - 1] == MicroKernel.COLUMNS;
      if (t == 0 || full || !alike(t - 1, t)) {
        if (blocks + 2 > firsts.length) {
          firsts = Arrays.copyOf(firsts, 2 * firsts.length);
        }
        firsts[blocks++] = t;
      }
    }
    firsts[blocks] = n;
  }

  private boolean alike(int s, int t) {
    return prefixStart(s) == prefixStart(t)
        && prefixEnd(s) == prefixEnd(t)
        && start(s) == start(t)
        && readersEnd(s) == readersEnd(t);
  }

  /** Number of blocks. */
  int blocks() {
    return blocks;
  }

  /** First token of a block. */
  int first(int block) {
    return firsts[block];
  }

  /** Tokens of a block. */
  int count(int block) {
    return firsts[block + 1] - firsts[block];
  }

  int prefixStart(int t) {
    return spans[t * WIDTH];
  }

  int prefixEnd(int t) {
    return spans[t * WIDTH + 1];
  }

  int start(int t) {
    return spans[t * WIDTH + 2];
  }

  int readersEnd(int t) {
    return spans[t * WIDTH + 3];
  }
}
