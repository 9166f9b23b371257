package io.mola.perf.layer;

import static io.mola.perf.layer.Operation.EXPONENTIAL;

import io.mola.core.backend.AttentionOps.Direction;
import io.mola.core.backend.Backend;
import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.contract.Tolerance;
import java.util.ArrayList;
import java.util.List;

/**
 * The operations on their buffers, and what each must at least move and compute. All operands are
 * float32; per-row statistics are left out of the bytes.
 */
final class LayerOperations {
  private static final float EPSILON = 1e-5f;
  private static final AdamWStep STEP = new AdamWStep(3e-4, 0.9, 0.999, 1e-8, 0, 1);

  private final LayerBuffers buffers;
  private final Backend backend;
  private final LayerShape shape;
  private final float[] mark = new float[1];

  LayerOperations(LayerBuffers buffers) {
    this.buffers = buffers;
    backend = buffers.backend;
    shape = buffers.shape;
  }

  /** In an order in which each finds what it reads. */
  List<Operation> all() {
    List<Operation> all = new ArrayList<>();
    all.add(normForward());
    all.add(normBackward());
    all.add(rotary());
    all.add(attentionForward());
    all.add(attentionBackward());
    all.add(swigluForward());
    all.add(swigluBackward());
    all.add(crossEntropyHead());
    all.add(add());
    all.add(zero());
    all.add(squaredNorm());
    all.add(adamW());
    return all;
  }

  private Operation normForward() {
    double bytes = arrays(2, shape.hidden());
    return operation("norm forward", bytes, bytes, 4.0 * shape.tokens() * shape.hidden())
        .writing("y", Tolerance.NORM)
        .writing("rstd", Tolerance.NORM_RSTD)
        .by(() -> backend.norm().rmsForward(t("x"), t("gain"), EPSILON, t("y"), t("rstd")));
  }

  private Operation normBackward() {
    double array = arrays(1, shape.hidden());
    return operation("norm backward", 4 * array, 3 * array, 9.0 * shape.tokens() * shape.hidden())
        .writing("dx", Tolerance.NORM)
        .by(() -> backend.norm().rmsBackward(t("dy"), t("x"), t("gain"), t("rstd"), t("dx")));
  }

  private Operation rotary() {
    int width = shape.attention().queryWidth();
    double array = arrays(1, width);
    return operation("rotary", 2 * array, array, 3.0 * shape.tokens() * width)
        .writing("q", Tolerance.ROTARY)
        .by(() ->
            backend
                .attention()
                .rotate(t("q"), t("table"), buffers.ints("positions"), Direction.FORWARD));
  }

  private Operation attentionForward() {
    double bytes =
        arrays(2, shape.attention().queryWidth()) + arrays(2, shape.attention().keyWidth());
    return operation("attention forward", bytes, bytes, attentionFlops(2))
        .writing("attended", Tolerance.ATTENTION)
        .writing("lse", Tolerance.ATTENTION)
        .by(() ->
            backend
                .attention()
                .forward(
                    t("q"),
                    t("k"),
                    t("v"),
                    buffers.ints("spans"),
                    shape.attention(),
                    t("attended"),
                    t("lse")));
  }

  private Operation attentionBackward() {
    double bytes =
        arrays(4, shape.attention().queryWidth()) + arrays(4, shape.attention().keyWidth());
    return operation("attention backward", bytes, bytes, attentionFlops(5))
        .writing("dq", Tolerance.ATTENTION)
        .writing("dk", Tolerance.ATTENTION)
        .writing("dv", Tolerance.ATTENTION)
        .by(() ->
            backend
                .attention()
                .backward(
                    t("dAttended"),
                    t("q"),
                    t("k"),
                    t("v"),
                    t("attended"),
                    t("lse"),
                    buffers.ints("spans"),
                    shape.attention(),
                    t("delta"),
                    t("dq"),
                    t("dk"),
                    t("dv")));
  }

  private double attentionFlops(int products) {
    double each = 2.0 * products * shape.attention().headDim() + EXPONENTIAL;
    return shape.pairs() * shape.attention().heads() * each;
  }

  private Operation swigluForward() {
    double bytes = arrays(3, shape.wide());
    double flops = (EXPONENTIAL + 4.0) * shape.tokens() * shape.wide();
    return operation("swiglu forward", bytes, bytes, flops)
        .writing("wide", Tolerance.SWIGLU)
        .by(() -> backend.activation().swigluForward(t("gate"), t("up"), t("wide")));
  }

  private Operation swigluBackward() {
    double bytes = arrays(5, shape.wide());
    double flops = (EXPONENTIAL + 9.0) * shape.tokens() * shape.wide();
    return operation("swiglu backward", bytes, bytes, flops)
        .writing("dGate", Tolerance.SWIGLU)
        .writing("dUp", Tolerance.SWIGLU)
        .by(() ->
            backend
                .activation()
                .swigluBackward(t("dWide"), t("gate"), t("up"), t("dGate"), t("dUp")));
  }

  /** With the gradient; the head is read once, its logits stay in caches. */
  private Operation crossEntropyHead() {
    double head = (double) shape.vocabulary() * LayerBuffers.HEAD_TYPE.rowBytes(shape.hidden());
    double bytes = head + arrays(2, shape.hidden());
    double logits = (double) shape.tokens() * shape.vocabulary();
    return operation(
            "cross-entropy head", bytes, bytes, logits * (4.0 * shape.hidden() + EXPONENTIAL))
        .writing("loss", Tolerance.CROSS_ENTROPY)
        .writing("dx", Tolerance.CROSS_ENTROPY)
        .by(() ->
            backend
                .loss()
                .crossEntropyHead(
                    t("y"),
                    buffers.head,
                    buffers.ints("targets"),
                    buffers.ints("weights"),
                    1f / shape.tokens(),
                    t("logits"),
                    t("loss"),
                    t("dx")));
  }

  private Operation add() {
    double array = arrays(1, shape.hidden());
    return operation("add", 3 * array, 2 * array, (double) shape.tokens() * shape.hidden())
        .writing("dy", Tolerance.EXACT)
        .by(() -> backend.activation().add(t("x"), t("dy")));
  }

  private Operation zero() {
    double array = arrays(1, shape.hidden());
    return operation("zero", array, array, 0)
        .writing("dx", Tolerance.EXACT)
        .by(() -> backend.activation().zero(t("dx")));
  }

  private Operation squaredNorm() {
    double bytes = (double) Float.BYTES * shape.parameters();
    return operation("squared norm", bytes, bytes, 2.0 * shape.parameters())
        .writing("norm", Tolerance.SQUARED_NORM)
        .by(() -> backend.optimizer().squaredNorm(t("gradient"), t("norm")));
  }

  private Operation adamW() {
    double array = (double) Float.BYTES * shape.parameters();
    return operation("adamw", 7 * array, 4 * array, 14.0 * shape.parameters())
        .writing("parameter", Tolerance.OPTIMIZER)
        .writing("m", Tolerance.OPTIMIZER)
        .writing("v2", Tolerance.OPTIMIZER)
        .by(() -> backend.optimizer().adamW(t("parameter"), t("gradient"), t("m"), t("v2"), STEP));
  }

  /** Bytes of arrays with one row for each token. */
  private double arrays(int count, int cols) {
    return (double) count * Float.BYTES * shape.tokens() * cols;
  }

  private Tensor t(String name) {
    return buffers.tensor(name);
  }

  private Draft operation(String name, double bytes, double workingSet, double flops) {
    return new Draft(name, bytes, workingSet, flops);
  }

  /** An operation whose call is not known yet. */
  private final class Draft {
    private final String name;
    private final double bytes;
    private final double workingSet;
    private final double flops;
    private final List<Output> outputs = new ArrayList<>();

    Draft(String name, double bytes, double workingSet, double flops) {
      this.name = name;
      this.bytes = bytes;
      this.workingSet = workingSet;
      this.flops = flops;
    }

    Draft writing(String buffer, Tolerance tolerance) {
      outputs.add(new Output(buffer, tolerance));
      return this;
    }

    /** Each call waits for the queue by fetching one number. */
    Operation by(Runnable queue) {
      Tensor last = t(outputs.getFirst().buffer()).slice(0, 1, 1);
      return new Operation(
          name,
          bytes,
          workingSet,
          flops,
          outputs,
          () -> {
            queue.run();
            backend.memory().download(last, mark);
          });
    }
  }
}
