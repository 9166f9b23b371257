package io.mola.core.backend;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.OperationTimes.Row;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** 2 rows, 4 inputs, 3 outputs. */
final class ProfiledBackendTest {
  private final OperationTimes times = new OperationTimes();

  @Test
  void aProductCountsTwoOperationsPerWeightAndRow() {
    product();

    assertThat(times.rows()).hasSize(1);
    Row row = times.rows().getFirst();
    assertThat(row.operation()).isEqualTo("linear.forward 4x3");
    assertThat(row.calls()).isEqualTo(1);
    assertThat(row.nanos()).isPositive();
    assertThat(row.flop()).isEqualTo(2 * 2 * 4 * 3);
  }

  @Test
  void callsOfTheSameShapeAddUp() {
    product();
    OperationTimes first = new OperationTimes();
    first.addAll(times);
    times.clear();
    product();
    first.addAll(times);

    assertThat(first.rows()).hasSize(1);
    assertThat(first.rows().getFirst().calls()).isEqualTo(2);
    assertThat(first.rows().getFirst().flop()).isEqualTo(2 * 2 * 2 * 4 * 3);
  }

  private void product() {
    BackendProvider provider = ProfiledBackend.provider(Backends.choose("reference"), times);
    StoredMatrix stored =
        new StoredMatrix(
            "w", QuantType.F32, 3, 4, MemorySegment.ofArray(new byte[48]), RowOrder.PLAIN);
    MemoryPlan plan = new MemoryPlan.Builder().activation("x", 2, 4).activation("y", 2, 3).build();
    try (Backend backend = provider.open(new BackendSettings(1, 0));
        Region region = backend.memory().allocate(plan);
        FrozenMatrix matrix = backend.memory().load(stored)) {
      backend.linear().forward(region.tensor("x"), List.of(matrix), List.of(region.tensor("y")));
    }
  }
}
