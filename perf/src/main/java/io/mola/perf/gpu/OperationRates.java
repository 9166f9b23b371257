package io.mola.perf.gpu;

import io.mola.core.backend.AdapterOps;
import io.mola.core.backend.AttentionOps.Direction;
import io.mola.core.backend.AttentionShape;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Times operations of the backend at the sizes of a model, on one sequence.
 *
 * @param shape of the model
 * @param tokens of the sequence
 */
record OperationRates(BaseShape shape, int tokens) {
  private static final int ACTIVATION_BYTES = 2; // bfloat16, the backend's usual precision
  private static final int EXPERTS = 8;
  private static final int RANK = 8;
  private static final int TOP_K = 2;
  private static final long SEED = 3;

  /** Random numbers, the same again and again: drawing takes long. */
  private static final int DRAWN = 65_537;

  /**
   * One operation.
   *
   * @param seconds per call
   * @param bytes that it must read and write at least
   * @param flops that its formula has
   */
  record Rate(String name, double seconds, double bytes, double flops) {}

  /** A call and what it must move and compute at least. */
  private record Operation(String name, double bytes, double flops, Runnable call) {}

  /** Measures one after the other. */
  void measure(Consumer<Rate> each) {
    try (Backend backend = Backends.choose("cuda").open(BackendSettings.ofThisMachine());
        Region region = backend.memory().allocate(plan())) {
      fill(backend, region);
      float[] one = new float[1];
      Runnable wait = () -> backend.memory().download(region.tensor("mark"), one);
      List<Operation> operations = new ArrayList<>(elementwise(backend, region));
      operations.addAll(attention(backend, region));
      operations.addAll(optimizer(backend, region));
      for (Operation operation : operations) {
        each.accept(time(operation, wait));
      }
      for (QuantType type : List.of(QuantType.BF16, QuantType.Q8_0, QuantType.Q4_K)) {
        try (FrozenMatrix up = load(backend, type)) {
          for (Operation operation : products(backend, region, type, up)) {
            each.accept(time(operation, wait));
          }
        }
      }
    }
  }

  private static Rate time(Operation operation, Runnable wait) {
    double seconds = Timing.secondsOf(operation.call(), wait);
    return new Rate(operation.name(), seconds, operation.bytes(), operation.flops());
  }

  private FrozenMatrix load(Backend backend, QuantType type) {
    return backend.memory().load(RandomBase.matrix(type, shape.wide, shape.hidden));
  }

  private MemoryPlan plan() {
    int n = tokens;
    int key = shape.kvHeads * shape.headDim();
    int stacked = EXPERTS * RANK;
    return new MemoryPlan.Builder()
        .activation("x", n, shape.hidden)
        .activation("y", n, shape.hidden)
        .activation("dx", n, shape.hidden)
        .activation("q", n, shape.hidden)
        .activation("k", n, key)
        .activation("v", n, key)
        .activation("dk", n, key)
        .activation("dv", n, key)
        .activation("gate", n, shape.wide)
        .activation("up", n, shape.wide)
        .activation("dGate", n, shape.wide)
        .activation("dUp", n, shape.wide)
        .activation("wide", n, shape.wide)
        .f32("gain", 1, shape.hidden)
        .f32("rstd", n, 1)
        .f32("lse", n, shape.heads)
        .f32("delta", n, shape.heads)
        .f32("table", n, shape.headDim())
        .i32("positions", n, 1)
        .i32("spans", n, 4)
        .f32("a", stacked, shape.hidden)
        .f32("router", EXPERTS, shape.hidden)
        .f32("b", stacked, shape.wide)
        .f32("da", stacked, shape.hidden)
        .f32("dRouter", EXPERTS, shape.hidden)
        .f32("db", stacked, shape.wide)
        .f32("z", n, stacked)
        .f32("logits", n, EXPERTS)
        .f32("gates", n, EXPERTS)
        .f32("dLogits", n, EXPERTS)
        .f32("p", shape.wide, shape.hidden)
        .f32("g", shape.wide, shape.hidden)
        .f32("m", shape.wide, shape.hidden)
        .f32("s", shape.wide, shape.hidden)
        .f32("mark", 1, 1)
        .build();
  }

  private void fill(Backend backend, Region region) {
    float[] drawn = HostTensor.random(1, DRAWN, 0.1, new Random(SEED)).values();
    for (String name : List.of("x", "q", "k", "v", "gate", "up", "gain", "a", "router", "b")) {
      Tensor tensor = region.tensor(name);
      float[] values = new float[tensor.rows() * tensor.cols()];
      for (int i = 0; i < values.length; i++) {
        values[i] = drawn[i % DRAWN];
      }
      backend.memory().upload(values, tensor);
    }
    int[] positions = new int[tokens];
    int[] spans = new int[4 * tokens];
    for (int t = 0; t < tokens; t++) {
      positions[t] = t;
      spans[4 * t + 3] = tokens; // no prefix, one segment from row 0 that all later rows read
    }
    backend.memory().upload(positions, region.ints("positions"));
    backend.memory().upload(spans, region.ints("spans"));
  }

  private List<Operation> elementwise(Backend backend, Region r) {
    double narrow = (double) tokens * shape.hidden * ACTIVATION_BYTES;
    double wide = (double) tokens * shape.wide * ACTIVATION_BYTES;
    return List.of(
        new Operation(
            "norm forward",
            2 * narrow,
            0,
            () ->
                backend
                    .norm()
                    .rmsForward(
                        r.tensor("x"), r.tensor("gain"), 1e-5f, r.tensor("y"), r.tensor("rstd"))),
        new Operation(
            "norm backward",
            4 * narrow,
            0,
            () ->
                backend
                    .norm()
                    .rmsBackward(
                        r.tensor("y"),
                        r.tensor("x"),
                        r.tensor("gain"),
                        r.tensor("rstd"),
                        r.tensor("dx"))),
        new Operation(
            "rotary",
            2 * narrow,
            0,
            () ->
                backend
                    .attention()
                    .rotate(
                        r.tensor("q"), r.tensor("table"), r.ints("positions"), Direction.FORWARD)),
        new Operation(
            "swiglu forward",
            3 * wide,
            0,
            () ->
                backend
                    .activation()
                    .swigluForward(r.tensor("gate"), r.tensor("up"), r.tensor("wide"))),
        new Operation(
            "swiglu backward",
            5 * wide,
            0,
            () ->
                backend
                    .activation()
                    .swigluBackward(
                        r.tensor("wide"),
                        r.tensor("gate"),
                        r.tensor("up"),
                        r.tensor("dGate"),
                        r.tensor("dUp"))));
  }

  private List<Operation> attention(Backend backend, Region r) {
    AttentionShape heads =
        new AttentionShape(shape.heads, shape.kvHeads, shape.headDim(), Integer.MAX_VALUE);
    double pairs = (double) tokens * tokens / 2;
    return List.of(
        new Operation(
            "attention forward",
            0,
            4 * pairs * shape.hidden,
            () ->
                backend
                    .attention()
                    .forward(
                        r.tensor("q"),
                        r.tensor("k"),
                        r.tensor("v"),
                        r.ints("spans"),
                        heads,
                        r.tensor("y"),
                        r.tensor("lse"))),
        new Operation(
            "attention backward",
            0,
            10 * pairs * shape.hidden,
            () ->
                backend
                    .attention()
                    .backward(
                        r.tensor("x"),
                        r.tensor("q"),
                        r.tensor("k"),
                        r.tensor("v"),
                        r.tensor("y"),
                        r.tensor("lse"),
                        r.ints("spans"),
                        heads,
                        r.tensor("delta"),
                        r.tensor("dx"),
                        r.tensor("dk"),
                        r.tensor("dv"))));
  }

  private List<Operation> optimizer(Backend backend, Region r) {
    double parameters = (double) shape.wide * shape.hidden;
    AdamWStep step = new AdamWStep(1e-4, 0.9, 0.999, 1e-8, 0.01, 1);
    return List.of(
        new Operation(
            "adamw",
            7 * 4 * parameters,
            0,
            () ->
                backend
                    .optimizer()
                    .adamW(r.tensor("p"), r.tensor("g"), r.tensor("m"), r.tensor("s"), step)),
        new Operation(
            "squared norm",
            4 * parameters,
            0,
            () -> backend.optimizer().squaredNorm(r.tensor("g"), r.tensor("mark"))));
  }

  /** The frozen matrix alone and with eight experts around it, forward and backward. */
  private List<Operation> products(Backend backend, Region r, QuantType type, FrozenMatrix up) {
    List<FrozenMatrix> weights = List.of(up);
    double frozen = 2.0 * tokens * shape.wide * shape.hidden;
    double experts = 2.0 * tokens * EXPERTS * RANK * (shape.wide + shape.hidden);
    AdapterOps.State state =
        new AdapterOps.State(r.tensor("z"), r.tensor("logits"), r.tensor("gates"));
    Dropout dropout = new Dropout(0.05f, SEED, 0, 0, 0);
    return List.of(
        new Operation(
            "frozen forward " + type,
            0,
            frozen,
            () -> backend.linear().forward(r.tensor("x"), weights, List.of(r.tensor("up")))),
        new Operation(
            "frozen backward " + type,
            0,
            frozen,
            () -> backend.linear().backward(List.of(r.tensor("dUp")), weights, r.tensor("dx"))),
        new Operation(
            "8 experts forward " + type,
            0,
            frozen + experts,
            () ->
                backend
                    .adapters()
                    .forward(
                        r.tensor("x"),
                        weights,
                        experts(r, "a", "router", "b"),
                        dropout,
                        state,
                        List.of(r.tensor("up")))),
        new Operation(
            "8 experts backward " + type,
            0,
            frozen + 2 * experts,
            () ->
                backend
                    .adapters()
                    .backward(
                        List.of(r.tensor("dUp")),
                        r.tensor("x"),
                        weights,
                        experts(r, "a", "router", "b"),
                        dropout,
                        state,
                        experts(r, "da", "dRouter", "db"),
                        r.tensor("dLogits"),
                        r.tensor("dx"))));
  }

  private static Experts experts(Region r, String a, String router, String b) {
    Experts.Member member = new Experts.Member(EXPERTS, RANK, TOP_K, 2f, 0, 0, r.tensor(b));
    return new Experts(r.tensor(a), r.tensor(router), List.of(member));
  }
}
