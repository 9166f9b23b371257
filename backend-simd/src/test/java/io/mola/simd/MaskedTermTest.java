package io.mola.simd;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Experts.Member;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.testdata.QuantisedMatrices;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The term of dx that dropout masks, beside packed weights and beside streamed ones. */
class MaskedTermTest {
  private static final int OUT = 83;
  private static final int IN = 96;
  private static final int RANK = 4;

  @ParameterizedTest(name = "{0} rows")
  @ValueSource(ints = {1, 2, 6, 23, 67})
  void hasTheSameBitsWhetherWeightsArePackedOrStreamed(int n) {
    float[] packed = inputGradient(n, Long.MAX_VALUE, 0.4f);

    assertThat(inputGradient(n, 0, 0.4f)).isEqualTo(packed);
    assertThat(inputGradient(n, 0, 0f)).isNotEqualTo(packed);
  }

  private static float[] inputGradient(int n, long cacheBytes, float probability) {
    StoredMatrix stored = QuantisedMatrices.random(QuantType.Q4_1, OUT, IN, RowOrder.PLAIN, 3);
    try (Backend backend = new SimdBackendProvider().open(new BackendSettings(2, cacheBytes));
        FrozenMatrix w = backend.memory().load(stored);
        Region r = backend.memory().allocate(plan(n))) {
      Random random = new Random(5);
      for (MemoryPlan.Slot slot : r.plan().slots()) {
        float[] values = new float[slot.rows() * slot.cols()];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextGaussian();
        }
        backend.memory().upload(values, r.tensor(slot.name()));
      }
      Member member = new Member(1, RANK, 1, 2f, 0, -1, r.tensor("b"));
      Member gradient = new Member(1, RANK, 1, 2f, 0, -1, r.tensor("db"));
      backend
          .adapters()
          .backward(
              List.of(r.tensor("dy")),
              r.tensor("x"),
              List.of(w),
              new Experts(r.tensor("a"), null, List.of(member)),
              new Dropout(probability, 1, 1, 1, 0),
              new State(r.tensor("z"), null, null),
              new Experts(r.tensor("da"), null, List.of(gradient)),
              null,
              r.tensor("dx"));
      float[] dx = new float[n * IN];
      backend.memory().download(r.tensor("dx"), dx);
      return dx;
    }
  }

  private static MemoryPlan plan(int n) {
    return new MemoryPlan.Builder()
        .f32("x", n, IN)
        .f32("dx", n, IN)
        .f32("dy", n, OUT)
        .f32("a", RANK, IN)
        .f32("b", RANK, OUT)
        .f32("da", RANK, IN)
        .f32("db", RANK, OUT)
        .f32("z", n, RANK)
        .build();
  }
}
