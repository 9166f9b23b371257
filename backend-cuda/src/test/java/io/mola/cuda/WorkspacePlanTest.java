package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.driver.Products;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.QuantisedMatrices;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What memory plans are told of the backend's scratch memory is enough. */
@OnEmulatedCuda
class WorkspacePlanTest {
  private static final int TOKENS = 300;
  private static final int WIDEST = 96;
  private static final int EXPERTS = 6;
  private static final int RANK = 8;
  private static final int WIDTH = EXPERTS * RANK;

  @ParameterizedTest
  @EnumSource(Precision.class)
  void adaptersAndLossStayWithinThePlannedBytes(Precision precision) {
    try (CudaBackend backend = EmulatedBackend.open(new BackendSettings(1, 0), precision, true);
        FrozenMatrix w = matrix(backend, WIDEST);
        FrozenMatrix head = matrix(backend, 5000);
        Region region = backend.memory().allocate(plan())) {
      adapters(backend, region, w);
      backend
          .loss()
          .crossEntropyHead(
              region.tensor("x"),
              head,
              region.ints("targets"),
              region.ints("targets"),
              1,
              region.tensor("scratch"),
              region.tensor("loss"),
              region.tensor("dx"));
      backend.memory().download(region.tensor("loss"), new float[1]);

      long planned = backend.memory().workspaceBytes(TOKENS, WIDEST, WIDTH);
      assertThat(backend.workspaceBytes()).isPositive();
      assertThat(backend.workspaceBytes() + Products.WORKSPACE_BYTES).isLessThanOrEqualTo(planned);
    }
  }

  private static FrozenMatrix matrix(CudaBackend backend, int out) {
    return backend
        .memory()
        .load(QuantisedMatrices.random(QuantType.Q8_0, out, WIDEST, RowOrder.PLAIN, 1));
  }

  private static MemoryPlan plan() {
    return new MemoryPlan.Builder()
        .activation("x", TOKENS, WIDEST)
        .activation("y", TOKENS, WIDEST)
        .activation("dx", TOKENS, WIDEST)
        .f32("parameters", 2 * WIDTH + EXPERTS, WIDEST)
        .f32("gradients", 2 * WIDTH + EXPERTS, WIDEST)
        .f32("z", TOKENS, WIDTH)
        .f32("logits", TOKENS, EXPERTS)
        .f32("gates", TOKENS, EXPERTS)
        .f32("dLogits", TOKENS, EXPERTS)
        .f32("scratch", TOKENS, 5000)
        .f32("loss", 1, 1)
        .i32("targets", TOKENS, 1)
        .build();
  }

  private static void adapters(CudaBackend backend, Region region, FrozenMatrix w) {
    State state = new State(region.tensor("z"), region.tensor("logits"), region.tensor("gates"));
    Dropout dropout = new Dropout(0.1f, 1, 1, 1, 0);
    List<FrozenMatrix> weights = List.of(w);
    Tensor x = region.tensor("x");
    List<Tensor> ys = List.of(region.tensor("y"));
    Experts experts = experts(region.tensor("parameters"));
    backend.adapters().forward(x, weights, experts, dropout, state, ys);
    backend
        .adapters()
        .backward(
            ys,
            x,
            weights,
            experts,
            dropout,
            state,
            experts(region.tensor("gradients")),
            region.tensor("dLogits"),
            region.tensor("dx"));
  }

  private static Experts experts(Tensor flat) {
    Tensor b = flat.slice((long) WIDTH * WIDEST, WIDTH, WIDEST);
    Tensor router = flat.slice(2L * WIDTH * WIDEST, EXPERTS, WIDEST);
    Member member = new Member(EXPERTS, RANK, 2, 2, 0, 0, b);
    return new Experts(flat.top(WIDTH), router, List.of(member));
  }
}
