package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;

/**
 * Rotary embedding and causal attention over a ragged batch. No n x n matrix is kept.
 *
 * <p><b>Spans.</b> A batch is a list of n tokens, cut into segments (sequences); a segment may
 * continue a prefix segment that others share. Row t of {@code spans} [n, 4] says what token t sees
 * and who sees it: {@code (prefixStart, prefixEnd, start, readersEnd)}. Token t attends to the rows
 * {@code [prefixStart, prefixEnd)} and {@code [start, t]}; row j is read by rows {@code [j,
 * readersEnd)} only. A segment that continues a prefix follows it in the batch, directly or after
 * other segments of the same prefix. With a sliding window the distance of positions counts; a
 * backend may take positions as contiguous along prefix and segment.
 */
public interface AttentionOps {
  /** Direction of {@link #rotate}. */
  enum Direction {
    /** As the model does. */
    FORWARD,
    /** The transpose, for gradients. */
    BACKWARD
  }

  /**
   * Rotary embedding (Su et al. 2021), in place: in each head of c columns the pair (i, i + c/2) is
   * rotated by the angle of {@code positions[t]} (BACKWARD: by its negative).
   *
   * @param qk [n, heads·c]
   * @param table [positions, c]: the cosines of the c/2 angles, then their sines
   * @param positions [n, 1], each below the table's rows
   */
  void rotate(Tensor qk, Tensor table, IntTensor positions, Direction direction);

  /**
   * {@code out[t, head] = Σ_j softmax_j(scale · q[t,head]·k[j,head/(h/g)]) v[j]} over the rows j
   * that t sees; {@code lse[t, head] = log Σ_j exp(score)}.
   *
   * @param q [n, h·c], k and v [n, g·c], out [n, h·c], lse [n, h]
   */
  void forward(
      Tensor q, Tensor k, Tensor v, IntTensor spans, AttentionShape shape, Tensor out, Tensor lse);

  /**
   * With p[t,j] = exp(scale · q·k − lse[t]), D[t] = dOut[t]·out[t], ds = p ⊙ (dOut·vᵀ − D):
   *
   * <pre>{@code
   * dq = scale · ds · k        dk = scale · dsᵀ · q        dv = pᵀ · dOut
   * }</pre>
   *
   * All three overwrite: they are fresh buffers.
   *
   * @param delta [n, h] scratch, receives D
   */
  void backward(
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
      Tensor dv);

  /**
   * Attention of new tokens of one sequence over a cache: {@code out[i] = } attention of {@code
   * q[i]} over cache rows {@code [max(0, past + i − window + 1), past + i]}.
   *
   * @param q [m, h·c]: the rows past .. past + m − 1 of the sequence
   * @param k [capacity, g·c], already holding the new rows, capacity at least past + m; v alike
   */
  void forwardCached(Tensor q, Tensor k, Tensor v, int past, AttentionShape shape, Tensor out);
}
