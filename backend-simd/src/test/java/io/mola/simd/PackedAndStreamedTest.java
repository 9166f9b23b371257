package io.mola.simd;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.simd.tiles.FrozenPanels.Direction;
import io.mola.simd.work.WorkerPool;
import io.mola.testdata.QuantisedMatrices;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How a product is computed (cache, batch) cannot be seen in its bits. */
class PackedAndStreamedTest {
  private static final int OUT = 83;
  private static final RowOrder PAIRED = new RowOrder(50);

  /** Outputs of both directions, one after the other. */
  private static float[] products(StoredMatrix matrix, int n, long cacheBytes) {
    return products(matrix, n, cacheBytes, 2);
  }

  private static float[] products(StoredMatrix matrix, int n, long cacheBytes, int threads) {
    try (Backend backend =
            new SimdBackendProvider().open(new BackendSettings(threads, cacheBytes));
        FrozenMatrix w = backend.memory().load(matrix)) {
      MemoryPlan plan =
          new MemoryPlan.Builder()
              .f32("x", n, matrix.in())
              .f32("y", n, matrix.out())
              .f32("dx", n, matrix.in())
              .build();
      Region region = backend.memory().allocate(plan);
      Tensor x = region.tensor("x");
      float[] values = normal(n * matrix.in(), 5);
      backend.memory().upload(values, x);
      backend.linear().forward(x, List.of(w), List.of(region.tensor("y")));
      backend.linear().backward(List.of(region.tensor("y")), List.of(w), region.tensor("dx"));
      float[] y = new float[n * matrix.out()];
      backend.memory().download(region.tensor("y"), y);
      backend.memory().download(region.tensor("dx"), values);
      float[] both = Arrays.copyOf(y, y.length + values.length);
      System.arraycopy(values, 0, both, y.length, values.length);
      return both;
    }
  }

  private static StoredMatrix matrix(QuantType type) {
    int in = QuantisedMatrices.width(type, 700);
    return QuantisedMatrices.random(type, OUT, in, RowOrder.PLAIN, 3);
  }

  @ParameterizedTest
  @EnumSource(QuantType.class)
  void streamedWeightsGiveTheBitsOfPackedOnes(QuantType type) {
    StoredMatrix matrix = matrix(type);
    for (int n : new int[] {1, 6, 23}) {
      assertThat(products(matrix, n, 0)).isEqualTo(products(matrix, n, Long.MAX_VALUE));
    }
  }

  /** Panels in groups of several sizes, more than one block of inputs and of rows in a task. */
  @ParameterizedTest
  @EnumSource(QuantType.class)
  void streamedWeightsGiveTheBitsOfPackedOnesInManyTasksToo(QuantType type) {
    StoredMatrix matrix =
        QuantisedMatrices.random(type, 1100, QuantisedMatrices.width(type, 1270), PAIRED, 4);
    assertThat(products(matrix, 350, 0)).isEqualTo(products(matrix, 350, Long.MAX_VALUE));
  }

  /** Several blocks of rows, as many as workers, fewer, and a number that they do not divide. */
  @ParameterizedTest(name = "{0} workers")
  @ValueSource(ints = {2, 3, 4, 7})
  void anyNumberOfWorkersGivesTheBitsOfOne(int workers) {
    StoredMatrix matrix = QuantisedMatrices.random(QuantType.Q4_1, 650, 320, RowOrder.PLAIN, 4);
    for (long cacheBytes : new long[] {0, Long.MAX_VALUE}) {
      float[] alone = products(matrix, 650, cacheBytes, 1);
      assertThat(products(matrix, 650, cacheBytes, workers)).isEqualTo(alone);
    }
  }

  @Test
  void streamedWeightsOfTwoTypesAddUpToTheBitsOfPackedOnes() {
    float[] streamed = backward(0);
    assertThat(streamed).isEqualTo(backward(Long.MAX_VALUE));
    assertThat(streamed).doesNotContain(0f);
  }

  private static float[] backward(long cacheBytes) {
    int n = 300;
    StoredMatrix one = QuantisedMatrices.random(QuantType.Q8_0, 70, 1024, RowOrder.PLAIN, 6);
    StoredMatrix two = QuantisedMatrices.random(QuantType.Q4_K, 650, 1024, RowOrder.PLAIN, 7);
    try (Backend backend = new SimdBackendProvider().open(new BackendSettings(2, cacheBytes));
        FrozenMatrix first = backend.memory().load(one);
        FrozenMatrix second = backend.memory().load(two)) {
      MemoryPlan plan =
          new MemoryPlan.Builder()
              .f32("dy1", n, one.out())
              .f32("dy2", n, two.out())
              .f32("dx", n, one.in())
              .build();
      Region region = backend.memory().allocate(plan);
      backend.memory().upload(normal(n * one.out(), 8), region.tensor("dy1"));
      backend.memory().upload(normal(n * two.out(), 9), region.tensor("dy2"));
      List<Tensor> dys = List.of(region.tensor("dy1"), region.tensor("dy2"));
      backend.linear().backward(dys, List.of(first, second), region.tensor("dx"));
      float[] dx = new float[n * one.in()];
      backend.memory().download(region.tensor("dx"), dx);
      return dx;
    }
  }

  private static float[] normal(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @ParameterizedTest
  @EnumSource(QuantType.class)
  void aRowHasTheSameBitsInABatchOfAnySize(QuantType type) {
    StoredMatrix matrix = matrix(type);
    float[] whole = products(matrix, 23, Long.MAX_VALUE);
    for (int n = 1; n < 23; n += n < 9 ? 1 : 5) {
      float[] some = products(matrix, n, Long.MAX_VALUE);
      int outputs = n * OUT;
      assertThat(IntStream.range(0, outputs).allMatch(i -> some[i] == whole[i])).isTrue();
      int inputs = n * matrix.in();
      assertThat(IntStream.range(0, inputs).allMatch(i -> some[outputs + i] == whole[23 * OUT + i]))
          .isTrue();
    }
  }

  @Test
  void theCacheStaysWithinItsBudgetAndIsEmptyAfterClose() {
    StoredMatrix matrix = matrix(QuantType.Q4_1);
    try (Backend backend = new SimdBackendProvider().open(new BackendSettings(1, 0))) {
      long both = backend.memory().frozenBytes(matrix.type(), matrix.out(), matrix.in());
      PanelCache cache = new PanelCache(both + 2048, new WorkerPool(1));
      SimdFrozenMatrix first = new SimdFrozenMatrix(matrix, cache);
      SimdFrozenMatrix second = new SimdFrozenMatrix(matrix, cache);
      for (Direction direction : Direction.values()) {
        assertThat(first.panels(direction).bytes()).isPositive();
      }
      assertThat(cache.bytes()).isBetween(both, both + 2048);
      for (Direction direction : Direction.values()) {
        assertThat(second.panels(direction).bytes()).as("streamed").isZero();
      }
      first.close();
      assertThat(cache.bytes()).isZero();
    }
  }
}
