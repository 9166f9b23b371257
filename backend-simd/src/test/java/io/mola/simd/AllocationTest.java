package io.mola.simd;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.AttentionShape;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.ElementType;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.simd.lanes.VectorWidth;
import io.mola.testdata.QuantisedMatrices;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * A vector that is boxed costs an object per operation and a tenth of the speed: megabytes where
 * compiled code needs some objects per call. Measured on the caller with one worker, so that it
 * does all the work.
 */
@EnabledIf("widthIsNative")
class AllocationTest {
  private static final int N = 67;
  private static final int IN = 96;
  private static final int OUT = 160;

  /** Within this time the compiler is done, also on a busy machine. */
  private static final Duration COMPILATION = Duration.ofMinutes(2);

  /** Operation objects, task closures and counters of a dispatch; never the data. */
  private static final long BYTES_PER_CALL = 8 << 10;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Where the width is emulated, every vector is an object. */
  static boolean widthIsNative() {
    return VectorWidth.BITS <= FloatVector.SPECIES_PREFERRED.vectorBitSize();
  }

  @Test
  void compiledOperationsAllocateNoVectors() {
    try (Backend backend = new SimdBackendProvider().open(new BackendSettings(1, 1 << 30));
        FrozenMatrix w =
            backend
                .memory()
                .load(QuantisedMatrices.random(QuantType.Q4_1, OUT, IN, RowOrder.PLAIN, 1))) {
      Region region = backend.memory().allocate(plan());
      Random random = new Random(1);
      for (MemoryPlan.Slot slot : region.plan().slots()) {
        if (slot.type() == ElementType.F32) {
          float[] values = new float[slot.rows() * slot.cols()];
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
          }
          backend.memory().upload(values, region.tensor(slot.name()));
        }
      }
      int[] spans = new int[4 * N];
      for (int t = 0; t < N; t++) {
        spans[4 * t + 3] = N;
      }
      backend.memory().upload(spans, region.ints("spans"));
      check("adapters", () -> adapters(backend, w, region));
      check("attention", () -> attention(backend, region));
      check("linear", () -> linear(backend, w, region));
      check("elementwise", () -> elementwise(backend, region));
      check("loss", () -> loss(backend, w, region));
    }
  }

  private static void check(String name, Runnable calls) {
    long thread = Thread.currentThread().threadId();
    long deadline = System.nanoTime() + COMPILATION.toNanos();
    long best = Long.MAX_VALUE;
    while (best >= BYTES_PER_CALL && System.nanoTime() < deadline) {
      for (int i = 0; i < 100; i++) {
        long before = THREADS.getThreadAllocatedBytes(thread);
        calls.run();
        best = Math.min(best, THREADS.getThreadAllocatedBytes(thread) - before);
      }
    }
    assertThat(best).as("bytes allocated by %s", name).isLessThan(BYTES_PER_CALL);
  }

  private static MemoryPlan plan() {
    return new MemoryPlan.Builder()
        .f32("x", N, IN)
        .f32("dx", N, IN)
        .f32("y", N, OUT)
        .f32("dy", N, OUT)
        .f32("y2", N, OUT)
        .f32("a", 8, IN)
        .f32("b", 8, OUT)
        .f32("router", 2, IN)
        .f32("da", 8, IN)
        .f32("db", 8, OUT)
        .f32("dRouter", 2, IN)
        .f32("z", N, 8)
        .f32("logits", N, 2)
        .f32("gates", N, 2)
        .f32("dLogits", N, 2)
        .f32("k", N, IN / 2)
        .f32("v", N, IN / 2)
        .f32("dk", N, IN / 2)
        .f32("dv", N, IN / 2)
        .f32("out", N, IN)
        .f32("dOut", N, IN)
        .f32("lse", N, 4)
        .f32("delta", N, 4)
        .f32("rstd", N, 1)
        .f32("gain", 1, IN)
        .f32("scratch", 32, OUT)
        .f32("loss", 1, 1)
        .i32("spans", N, 4)
        .i32("targets", N, 1)
        .i32("weights", N, 1)
        .build();
  }

  private static void adapters(Backend backend, FrozenMatrix w, Region r) {
    Member member = new Member(2, 4, 1, 2f, 0, 0, r.tensor("b"));
    Member gradient = new Member(2, 4, 1, 2f, 0, 0, r.tensor("db"));
    Experts experts = new Experts(r.tensor("a"), r.tensor("router"), List.of(member));
    Experts gradients = new Experts(r.tensor("da"), r.tensor("dRouter"), List.of(gradient));
    State state = new State(r.tensor("z"), r.tensor("logits"), r.tensor("gates"));
    Dropout dropout = new Dropout(0.1f, 1, 1, 1, 0);
    Tensor x = r.tensor("x");
    List<FrozenMatrix> weights = List.of(w);
    backend.adapters().forward(x, weights, experts, dropout, state, List.of(r.tensor("y")));
    backend
        .adapters()
        .backward(
            List.of(r.tensor("dy")),
            x,
            weights,
            experts,
            dropout,
            state,
            gradients,
            r.tensor("dLogits"),
            r.tensor("dx"));
  }

  private static void attention(Backend backend, Region r) {
    AttentionShape shape = new AttentionShape(4, 2, IN / 4, Integer.MAX_VALUE);
    backend
        .attention()
        .forward(
            r.tensor("x"),
            r.tensor("k"),
            r.tensor("v"),
            r.ints("spans"),
            shape,
            r.tensor("out"),
            r.tensor("lse"));
    backend
        .attention()
        .backward(
            r.tensor("dOut"),
            r.tensor("x"),
            r.tensor("k"),
            r.tensor("v"),
            r.tensor("out"),
            r.tensor("lse"),
            r.ints("spans"),
            shape,
            r.tensor("delta"),
            r.tensor("dx"),
            r.tensor("dk"),
            r.tensor("dv"));
    Tensor one = r.tensor("x").top(1);
    backend
        .attention()
        .forwardCached(one, r.tensor("k"), r.tensor("v"), N - 1, shape, r.tensor("out").top(1));
  }

  private static void linear(Backend backend, FrozenMatrix w, Region r) {
    backend.linear().forward(r.tensor("x"), List.of(w), List.of(r.tensor("y")));
    backend.linear().backward(List.of(r.tensor("dy")), List.of(w), r.tensor("dx"));
    Tensor one = r.tensor("x").top(1);
    backend.linear().forward(one, List.of(w), List.of(r.tensor("y").top(1)));
  }

  private static void elementwise(Backend backend, Region r) {
    backend.activation().swigluForward(r.tensor("y"), r.tensor("dy"), r.tensor("y2"));
    backend.activation().add(r.tensor("x"), r.tensor("dx"));
    backend
        .norm()
        .rmsForward(r.tensor("x"), r.tensor("gain"), 1e-5f, r.tensor("out"), r.tensor("rstd"));
    backend
        .norm()
        .rmsBackward(
            r.tensor("dOut"), r.tensor("x"), r.tensor("gain"), r.tensor("rstd"), r.tensor("dx"));
  }

  private static void loss(Backend backend, FrozenMatrix w, Region r) {
    backend
        .loss()
        .crossEntropyHead(
            r.tensor("x"),
            w,
            r.ints("targets"),
            r.ints("weights"),
            1f,
            r.tensor("scratch"),
            r.tensor("loss"),
            r.tensor("dx"));
  }
}
