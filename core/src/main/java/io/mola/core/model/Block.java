package io.mola.core.model;

import io.mola.core.backend.AttentionOps.Direction;
import io.mola.core.backend.Backend;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.Projection.Group;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One block, forward and backward side by side.
 *
 * <pre>{@code
 * middle = x + o(attention(rotate(q(norm1(x)), k(norm1(x))), v(norm1(x))))
 * out    = middle + down(silu(gate(norm2(middle))) ⊙ up(norm2(middle)))
 * }</pre>
 *
 * <p>The halves are separate methods because the feed-forward half of the last block may run on
 * fewer rows than its attention half.
 */
final class Block {
  private final Transformer model;
  private final LinearHook hook;
  private final int index;
  private final Transformer.Layer layer;
  private final Backend backend;

  Block(Transformer model, LinearHook hook, int index) {
    this.model = model;
    this.hook = hook;
    this.index = index;
    layer = model.layer(index);
    backend = model.backend();
  }

  /**
   * Where tokens stand.
   *
   * @param positions [n,1]
   * @param spans [n,4]
   * @param rotary [positions, c]
   */
  record Place(IntTensor positions, IntTensor spans, Tensor rotary) {}

  /** {@code a.middle = x + o(attention)}; fills the attention half of {@code a}. */
  void attentionForward(Pass pass, Tensor x, BlockActivations a, BlockScratch scratch, Place at) {
    Tensor normed = scratch.normed().top(x.rows());
    backend.norm().rmsForward(x, layer.attentionNorm(), model.epsilon(), normed, a.rstd1());
    project(Group.QKV, pass, normed, List.of(a.q(), a.k(), a.v()));
    backend.attention().rotate(a.q(), at.rotary(), at.positions(), Direction.FORWARD);
    backend.attention().rotate(a.k(), at.rotary(), at.positions(), Direction.FORWARD);
    backend
        .attention()
        .forward(a.q(), a.k(), a.v(), at.spans(), model.attention(), a.attended(), a.lse());
    project(Group.O, pass, a.attended(), List.of(a.middle()));
    backend.activation().add(x, a.middle());
  }

  /** {@code out = middle + feedForward(middle)} on any number of rows. */
  void feedForward(Pass pass, Tensor middle, BlockActivations a, BlockScratch scratch, Tensor out) {
    feedForwardInner(pass, middle, a, scratch);
    project(Group.DOWN, pass, scratch.activation().top(middle.rows()), List.of(out));
    backend.activation().add(middle, out);
  }

  /** Only what the backward pass needs: everything but the last product. */
  void feedForwardInner(Pass pass, Tensor middle, BlockActivations a, BlockScratch scratch) {
    Tensor normed = scratch.normed().top(middle.rows());
    backend.norm().rmsForward(middle, layer.feedForwardNorm(), model.epsilon(), normed, a.rstd2());
    project(Group.GATE_UP, pass, normed, List.of(a.gate(), a.up()));
    backend.activation().swigluForward(a.gate(), a.up(), scratch.activation().top(middle.rows()));
  }

  /** {@code g}: gradient of out on entry, of middle on return. */
  void feedForwardBackward(Tensor g, Tensor middle, BlockActivations a, BlockScratch scratch) {
    int n = g.rows();
    Tensor activation = scratch.activation().top(n);
    Tensor dGate = scratch.dGate().top(n);
    Tensor dUp = scratch.dUp().top(n);
    Tensor normed = scratch.normed().top(n);
    Tensor dNormed = scratch.dNormed().top(n);
    backend.activation().swigluForward(a.gate(), a.up(), activation);
    backend.activation().zero(dGate);
    hook.backward(index, Group.DOWN, List.of(g), activation, weights(Group.DOWN), dGate);
    backend.activation().swigluBackward(dGate, a.gate(), a.up(), dGate, dUp);
    backend.norm().rmsForward(middle, layer.feedForwardNorm(), model.epsilon(), normed, a.rstd2());
    backend.activation().zero(dNormed);
    hook.backward(
        index, Group.GATE_UP, List.of(dGate, dUp), normed, weights(Group.GATE_UP), dNormed);
    backend.norm().rmsBackward(dNormed, middle, layer.feedForwardNorm(), a.rstd2(), g);
  }

  /**
   * {@code g}: gradient of middle on entry, of x on return (unless nothing below is trained).
   *
   * @param lowest whether this is the lowest block with something to train
   */
  void attentionBackward(
      Tensor g, Tensor x, BlockActivations a, BlockScratch scratch, Place at, boolean lowest) {
    int n = g.rows();
    Tensor dAttended = scratch.dAttended().top(n);
    Tensor dq = scratch.dq().top(n);
    Tensor dk = scratch.dk().top(n);
    Tensor dv = scratch.dv().top(n);
    Tensor normed = scratch.normed().top(n);
    backend.activation().zero(dAttended);
    hook.backward(index, Group.O, List.of(g), a.attended(), weights(Group.O), dAttended);
    backend
        .attention()
        .backward(
            dAttended,
            a.q(),
            a.k(),
            a.v(),
            a.attended(),
            a.lse(),
            at.spans(),
            model.attention(),
            scratch.delta().top(n),
            dq,
            dk,
            dv);
    backend.attention().rotate(dq, at.rotary(), at.positions(), Direction.BACKWARD);
    backend.attention().rotate(dk, at.rotary(), at.positions(), Direction.BACKWARD);
    backend.norm().rmsForward(x, layer.attentionNorm(), model.epsilon(), normed, a.rstd1());
    @Nullable Tensor dNormed = lowest ? null : scratch.dNormed().top(n);
    if (dNormed != null) {
      backend.activation().zero(dNormed);
    }
    hook.backward(index, Group.QKV, List.of(dq, dk, dv), normed, weights(Group.QKV), dNormed);
    if (dNormed != null) {
      backend.norm().rmsBackward(dNormed, x, layer.attentionNorm(), a.rstd1(), g);
    }
  }

  private void project(Group group, Pass pass, Tensor x, List<Tensor> ys) {
    hook.forward(index, group, pass, x, weights(group), ys);
  }

  private List<FrozenMatrix> weights(Group group) {
    return layer.weights(group);
  }
}
