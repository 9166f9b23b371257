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
import io.mola.cuda.emulation.Emulator;
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
  private static final int OUT_OF_MEMORY = 2; // CUDA_ERROR_OUT_OF_MEMORY

  @Test
  void aRecordedStepHasTheBitsOfItsCommandsThoughRateAndDropoutChange() {
    try (CudaBackend recorded = open(true);
        CudaBackend direct = open(false)) {
      List<float[]> expected = train(direct, 7);
      List<float[]> actual = train(recorded, 7);

      assertThat(actual).hasSize(STEPS).usingRecursiveComparison().isEqualTo(expected);
      assertThat(expected.get(1)).isNotEqualTo(expected.get(2));
      // the first step also looks for damaged weights, the second is the first of its kind
      assertThat(recorded.queue().replays()).isEqualTo(STEPS - 2);
      assertThat(direct.queue().replays()).isZero();
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

  @Test
  void aStepOfEveryShapeIsReplayedHoweverManyThereAre() {
    int shapes = 40;
    Random random = new Random(shapes);
    try (CudaBackend recorded = open(true);
        Region region = recorded.memory().allocate(plan(shapes));
        FrozenMatrix w = matrix(recorded)) {
      long before = 0;
      for (int round = 0; round < 3; round++) {
        before = recorded.queue().replays();
        for (int rows = 1; rows <= shapes; rows++) {
          upload(recorded, region.tensor("x").top(rows), random);
          step(recorded, region, w, rows, round * shapes + rows);
          download(recorded, region.tensor("y"));
        }
      }
      assertThat(recorded.queue().replays() - before).as("third round").isEqualTo(shapes);
    }
  }

  @Test
  void withoutMemoryForAGraphTheStepRunsAsItsCommands() {
    try (CudaBackend recorded = open(true);
        CudaBackend direct = open(false)) {
      Emulator.instance().failNth("cuGraphInstantiateWithFlags", 1, OUT_OF_MEMORY);

      assertThat(train(recorded, 7)).usingRecursiveComparison().isEqualTo(train(direct, 7));
      assertThat(Emulator.instance().clearFaults()).isEqualTo(1);
      assertThat(recorded.queue().replays()).isZero();
    }
  }

  private static CudaBackend open(boolean graph) {
    return EmulatedBackend.open(new BackendSettings(1, 0), Precision.F32, graph);
  }

  /** Some steps of a small computation; what each leaves in its outputs. */
  private static List<float[]> train(Backend backend, int rows) {
    Random random = new Random(rows);
    List<float[]> results = new ArrayList<>();
    try (Region region = backend.memory().allocate(plan(rows));
        FrozenMatrix w = matrix(backend)) {
      upload(backend, region.tensor("p"), random);
      upload(backend, region.tensor("g"), random);
      for (int step = 0; step < STEPS; step++) {
        upload(backend, region.tensor("x"), random);
        step(backend, region, w, rows, step);
        results.add(download(backend, region.tensor("y"), region.tensor("p")));
      }
    }
    return results;
  }

  private static MemoryPlan plan(int rows) {
    return new MemoryPlan.Builder()
        .activation("x", rows, IN)
        .activation("y", rows, IN)
        .f32("z", rows, RANK)
        .f32("p", 2 * RANK, IN)
        .f32("g", 2 * RANK, IN)
        .f32("m", 2 * RANK, IN)
        .f32("v", 2 * RANK, IN)
        .build();
  }

  private static FrozenMatrix matrix(Backend backend) {
    return backend
        .memory()
        .load(QuantisedMatrices.random(QuantType.Q8_0, IN, IN, RowOrder.PLAIN, 3));
  }

  private static void step(Backend backend, Region region, FrozenMatrix w, int rows, int step) {
    Tensor p = region.tensor("p");
    Member member = new Member(1, RANK, 1, 0.5f, 0, -1, p.slice((long) RANK * IN, RANK, IN));
    backend
        .adapters()
        .forward(
            region.tensor("x").top(rows),
            List.of(w),
            new Experts(p.top(RANK), null, List.of(member)),
            new Dropout(0.4f, 11, step + 1, 2, 3L * step + 2),
            new State(region.tensor("z").top(rows), null, null),
            List.of(region.tensor("y").top(rows)));
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
