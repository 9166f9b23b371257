package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Steps that come again are launched as one graph and compute what their commands compute. */
@OnEmulatedCuda
class RecordedStepTest {
  private static final int STEPS = 5;
  private static final int IN = 32;
  private static final int RANK = 4;

  @Test
  void aRecordedStepHasTheBitsOfItsCommandsThoughRateAndDropoutChange() {
    try (CudaBackend recorded = open(true);
        CudaBackend direct = open(false)) {
      List<float[]> expected = train(direct, 7);
      List<float[]> actual = train(recorded, 7);

      assertThat(actual).hasSize(STEPS).usingRecursiveComparison().isEqualTo(expected);
      assertThat(expected.get(1)).isNotEqualTo(expected.get(2));
      // the first step also looks for damaged weights, the second is the first of its kind
      assertThat(recorded.replays()).isEqualTo(STEPS - 2);
      assertThat(direct.replays()).isZero();
    }
  }

  @Test
  void stepsOfOtherShapesAreNotMistakenForIt() {
    try (CudaBackend recorded = open(true);
        CudaBackend direct = open(false)) {
      for (int rows : new int[] {7, 5, 7, 6, 5}) {
        assertThat(train(recorded, rows)).usingRecursiveComparison().isEqualTo(train(direct, rows));
      }
    }
  }

  private static CudaBackend open(boolean graph) {
    return EmulatedBackend.open(new BackendSettings(1, 0), Precision.F32, graph);
  }

  /** Some steps of a small computation; what each leaves in its outputs. */
  private static List<float[]> train(Backend backend, int rows) {
    MemoryPlan plan =
        new MemoryPlan.Builder()
            .activation("x", rows, IN)
            .activation("y", rows, IN)
            .f32("z", rows, RANK)
            .f32("p", 2 * RANK, IN)
            .f32("g", 2 * RANK, IN)
            .f32("m", 2 * RANK, IN)
            .f32("v", 2 * RANK, IN)
            .build();
    Random random = new Random(rows);
    List<float[]> results = new ArrayList<>();
    try (Region region = backend.memory().allocate(plan);
        FrozenMatrix w =
            backend
                .memory()
                .load(QuantisedMatrices.random(QuantType.Q8_0, IN, IN, RowOrder.PLAIN, 3))) {
      upload(backend, region.tensor("p"), random);
      upload(backend, region.tensor("g"), random);
      for (int step = 0; step < STEPS; step++) {
        upload(backend, region.tensor("x"), random);
        step(backend, region, w, step);
        results.add(download(backend, region.tensor("y"), region.tensor("p")));
      }
    }
    return results;
  }

  private static void step(Backend backend, Region region, FrozenMatrix w, int step) {
    Tensor p = region.tensor("p");
    Member member = new Member(1, RANK, 1, 0.5f, 0, -1, p.slice((long) RANK * IN, RANK, IN));
    backend
        .adapters()
        .forward(
            region.tensor("x"),
            List.of(w),
            new Experts(p.top(RANK), null, List.of(member)),
            new Dropout(0.4f, 11, step + 1, 2, 3L * step + 2),
            new State(region.tensor("z"), null, null),
            List.of(region.tensor("y")));
    backend
        .optimizer()
        .adamW(
            p,
            region.tensor("g"),
            region.tensor("m"),
            region.tensor("v"),
            new AdamWStep(1e-2 / (1 + step), 0.9, 0.999, 1e-8, 0.01, 1 + step));
  }

  private static void upload(Backend backend, Tensor to, Random random) {
    backend.memory().upload(HostTensor.random(to.rows(), to.cols(), 1, random).values(), to);
  }

  /** The first download waits for the step; the others find nothing queued. */
  private static float[] download(Backend backend, Tensor... tensors) {
    int size = 0;
    for (Tensor tensor : tensors) {
      size += tensor.rows() * tensor.cols();
    }
    float[] all = new float[size];
    int at = 0;
    for (Tensor tensor : tensors) {
      float[] values = new float[tensor.rows() * tensor.cols()];
      backend.memory().download(tensor, values);
      System.arraycopy(values, 0, all, at, values.length);
      at += values.length;
    }
    return all;
  }
}
