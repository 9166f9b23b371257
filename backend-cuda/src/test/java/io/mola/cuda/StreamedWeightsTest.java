package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.cuda.driver.CudaException;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.driver.Products;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Where device memory is short, frozen matrices stream from host memory and change no bit. */
@OnEmulatedCuda
class StreamedWeightsTest {
  private static final int SIZE = 512;
  private static final int LAYERS = 8;
  private static final int ROWS = 3;

  /**
   * What is not weights, tiles or buffers: the workspace of cuBLAS, the plan and single numbers.
   */
  private static final long REST = Products.WORKSPACE_BYTES + (256 << 10);

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "Q8_0", "Q4_K"})
  void passesInBothDirectionsHaveTheSameBits(QuantType type) {
    List<float[]> expected = passes(type, Emulator.USUAL_MEMORY, false, 0);
    long matrix = type.rowBytes(SIZE) * SIZE;
    long tile = type == QuantType.F32 ? 0 : (long) SIZE * SIZE * Float.BYTES;
    long twoResidentAndTwoBuffers = 4 * matrix;

    List<float[]> actual = passes(type, REST + tile + twoResidentAndTwoBuffers, true, 0);

    assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
  }

  @Test
  void matricesThatGrewByDecodingShrinkFirst() {
    List<float[]> expected = passes(QuantType.Q4_K, Emulator.USUAL_MEMORY, false, 0);
    long decoded = (long) SIZE * SIZE * Float.BYTES;
    long encoded = LAYERS * QuantType.Q4_K.rowBytes(SIZE) * SIZE;

    // half of it is kept free of decoded matrices, so that some are decoded and some are not
    long memory = 2 * (REST + encoded + 4 * decoded);
    List<float[]> actual = passes(QuantType.Q4_K, memory, false, Long.MAX_VALUE);
    List<float[]> shrunk = passes(QuantType.Q4_K, memory, false, Long.MAX_VALUE, memory / 2);

    assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
    assertThat(shrunk).usingRecursiveComparison().isEqualTo(expected);
  }

  @Test
  void aPlanThatFitsNowhereIsNamedWithItsLargestBuffers() {
    Emulator.instance().deviceMemory(REST);
    MemoryPlan plan =
        new MemoryPlan.Builder().f32("small", 1, 1).activation("huge", 1 << 12, 1 << 12).build();
    try (CudaBackend backend = open(0)) {
      assertThatThrownBy(() -> backend.memory().allocate(plan))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("huge [4096, 4096] 64 MiB")
          .hasMessageContaining("--micro-batch-size");
    }
  }

  private static CudaBackend open(long weightCacheBytes) {
    return EmulatedBackend.open(new BackendSettings(1, weightCacheBytes), Precision.F32, true);
  }

  private static List<float[]> passes(
      QuantType type, long deviceMemory, boolean streams, long weightCacheBytes) {
    return passes(type, deviceMemory, streams, weightCacheBytes, ROWS * SIZE * Float.BYTES);
  }

  /** Three steps of forward and backward through all layers, with a plan allocated behind them. */
  private static List<float[]> passes(
      QuantType type, long deviceMemory, boolean streams, long weightCacheBytes, long planBytes) {
    Emulator.instance().deviceMemory(deviceMemory);
    List<float[]> results = new ArrayList<>();
    try (CudaBackend backend = open(weightCacheBytes)) {
      List<FrozenMatrix> layers = new ArrayList<>();
      for (int l = 0; l < LAYERS; l++) {
        layers.add(
            backend
                .memory()
                .load(QuantisedMatrices.random(type, SIZE, SIZE, RowOrder.PLAIN, 5 + l)));
      }
      MemoryPlan plan =
          new MemoryPlan.Builder()
              .activation("a", ROWS, SIZE)
              .activation("b", ROWS, SIZE)
              .f32("rest of the plan", (int) (planBytes / SIZE / Float.BYTES), SIZE)
              .build();
      try (Region region = backend.memory().allocate(plan)) {
        for (int step = 0; step < 3; step++) {
          results.add(pass(backend, layers, region, step));
        }
      }
      assertThat(backend.streamedBytes() > 0).isEqualTo(streams);
      if (streams) {
        // the second and third step go as the first did
        assertThat(backend.fetchedAhead()).isGreaterThan(LAYERS);
      }
      layers.forEach(FrozenMatrix::close);
      assertThat(backend.streamedBytes()).isZero();
    }
    return results;
  }

  private static float[] pass(Backend backend, List<FrozenMatrix> layers, Region region, int seed) {
    Tensor a = region.tensor("a");
    Tensor b = region.tensor("b");
    backend.memory().upload(HostTensor.random(ROWS, SIZE, 1, new Random(seed)).values(), a);
    for (FrozenMatrix layer : layers) {
      backend.linear().forward(a, List.of(layer), List.of(b));
      backend.activation().copy(b, a);
    }
    for (FrozenMatrix layer : layers.reversed()) {
      backend.linear().backward(List.of(b), List.of(layer), a);
      backend.activation().copy(a, b);
    }
    float[] values = new float[ROWS * SIZE];
    backend.memory().download(a, values);
    return values;
  }
}
