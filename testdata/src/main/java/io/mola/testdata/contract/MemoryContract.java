package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Memory;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link io.mola.core.backend.Memory} and {@link io.mola.core.backend.Region}. */
public abstract class MemoryContract extends BackendContract {
  private static final MemoryPlan PLAN =
      new MemoryPlan.Builder().f32("f", 7, 5).activation("a", 3, 17).i32("i", 9, 1).build();

  private Memory memory() {
    return backend().memory();
  }

  private float[] download(Tensor tensor) {
    float[] values = new float[tensor.rows() * tensor.cols()];
    memory().download(tensor, values);
    return values;
  }

  @Test
  void slotsHaveTheirShapeAndStartAsZeros() {
    try (Region region = memory().allocate(PLAN)) {
      assertThat(region.plan()).isEqualTo(PLAN);
      for (String name : new String[] {"f", "a"}) {
        assertThat(download(region.tensor(name))).containsOnly(0);
      }
      assertThat(region.tensor("f").rows()).isEqualTo(7);
      assertThat(region.tensor("f").cols()).isEqualTo(5);
      assertThat(region.ints("i").rows()).isEqualTo(9);
      assertThat(region.ints("i").top(4).rows()).isEqualTo(4);
      assertThat(region.ints("i").cols()).isEqualTo(1);
    }
  }

  @Test
  void unknownNamesAndWrongTypesAreRefused() {
    try (Region region = memory().allocate(PLAN)) {
      assertThatThrownBy(() -> region.tensor("g"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("g");
      assertThatThrownBy(() -> region.tensor("i"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("i");
      assertThatThrownBy(() -> region.ints("f"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("f");
    }
  }

  @Test
  void downloadReturnsWhatWasUploaded() {
    try (Region region = memory().allocate(PLAN)) {
      for (String name : new String[] {"f", "a"}) {
        Tensor tensor = region.tensor(name);
        HostTensor values = activations(tensor.rows(), tensor.cols(), 1, new Random(2));
        float[] from = values.values().clone();
        from[0] = Float.NaN;
        from[1] = Float.NEGATIVE_INFINITY;
        from[2] = -0f;
        float[] expected = from.clone();
        memory().upload(from, tensor);
        Arrays.fill(from, 99); // the array may be reused on return
        assertThat(download(tensor)).isEqualTo(expected);
      }
    }
  }

  @Test
  void float32TensorsKeepEveryBit() {
    try (Region region = memory().allocate(PLAN)) {
      float[] values = HostTensor.random(7, 5, 1, new Random(4)).values();
      memory().upload(values, region.tensor("f"));
      assertThat(download(region.tensor("f"))).isEqualTo(values);
    }
  }

  @Test
  void viewsShareTheMemoryOfTheirSlot() {
    try (Region region = memory().allocate(PLAN)) {
      Tensor slot = region.tensor("f");
      Tensor middle = slot.slice(6, 3, 4);
      memory().upload(HostTensor.filled(3, 4, 2).values(), middle);
      memory().upload(HostTensor.filled(1, 2, 3).values(), middle.slice(4, 1, 2));
      memory().upload(HostTensor.filled(1, 5, 1).values(), slot.top(1));
      float[] expected = new float[35];
      Arrays.fill(expected, 0, 5, 1);
      Arrays.fill(expected, 6, 18, 2);
      Arrays.fill(expected, 10, 12, 3);
      assertThat(download(slot)).isEqualTo(expected);
      assertThat(download(slot.top(1))).containsOnly(1);
      assertThat(download(middle)).hasSize(12).startsWith(2, 2, 2, 2, 3, 3, 2);
    }
  }

  @Test
  void viewsBeyondTheEndAreRefused() {
    try (Region region = memory().allocate(PLAN)) {
      Tensor slot = region.tensor("f");
      assertThatThrownBy(() -> slot.top(8)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> slot.slice(1, 7, 5)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> slot.slice(-1, 1, 1)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> slot.slice(10, 5, 5).top(6))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> region.ints("i").top(10))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void regionsAreIndependent() {
    try (Region one = memory().allocate(PLAN);
        Region other = memory().allocate(PLAN)) {
      memory().upload(HostTensor.filled(7, 5, 1).values(), one.tensor("f"));
      assertThat(download(other.tensor("f"))).containsOnly(0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void matricesKeepTheirShapeAndSayWhatTheyCost(QuantType type) {
    int in = QuantisedMatrices.width(type, 200);
    try (FrozenMatrix matrix =
        memory().load(QuantisedMatrices.random(type, 33, in, RowOrder.PLAIN, 1))) {
      assertThat(matrix.out()).isEqualTo(33);
      assertThat(matrix.in()).isEqualTo(in);
    }
    assertThat(memory().frozenBytes(type, 33, in)).isNotNegative();
  }

  @Test
  void workspaceGrowsWithTheShapes() {
    long base = memory().workspaceBytes(16, 256, 32);
    assertThat(base).isNotNegative();
    assertThat(memory().workspaceBytes(64, 256, 32)).isGreaterThanOrEqualTo(base);
    assertThat(memory().workspaceBytes(16, 1024, 32)).isGreaterThanOrEqualTo(base);
    assertThat(memory().workspaceBytes(16, 256, 128)).isGreaterThanOrEqualTo(base);
  }
}
