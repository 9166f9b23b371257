package io.mola.core.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightNames;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class MergedWeightsTest {
  private static final ModelConfig MODEL = Models.model(12, 20, 2, 3, 1, 4);

  @Test
  void rowsAreWPlusScaledBTimesA() {
    LoadedAdapter adapter = adapter("up_proj=1;k_proj=1", 5);
    MergedWeights merged = new MergedWeights(adapter);
    Random random = new Random(6);
    for (Projection projection : List.of(Projection.UP, Projection.K)) {
      int out = projection.out(MODEL);
      int in = projection.in(MODEL);
      float[] w = new float[out * in];
      for (int i = 0; i < w.length; i++) {
        w[i] = (float) random.nextGaussian();
      }
      StoredMatrix matrix = matrix(WeightNames.inLayer(1, projection.path()), w, out, in);
      float[] a = tensor(adapter, projection, AdapterTensor.Kind.A);
      float[] b = tensor(adapter, projection, AdapterTensor.Kind.B);
      float[] row = new float[in + 2];
      for (int o = 0; o < out; o++) {
        merged.decodeRow(matrix, o, row, 1);
        for (int i = 0; i < in; i++) {
          double expected = w[o * in + i];
          for (int j = 0; j < 3; j++) {
            expected += 2.0 * b[o * 3 + j] * a[j * in + i];
          }
          // one rounding to float, and another order of the double sum
          assertThat((double) row[i + 1]).isCloseTo(expected, within(expected));
        }
      }
      assertThat(row[0]).isZero();
      assertThat(row[in + 1]).isZero();
    }
  }

  private static Offset<Double> within(double expected) {
    return Offset.offset(Math.ulp((float) expected) * 0.51);
  }

  @Test
  void otherMatricesStayAsTheyAre() {
    MergedWeights merged = new MergedWeights(adapter("up_proj=1", 5));
    String name = WeightNames.inLayer(0, Projection.DOWN.path());
    assertThat(merged.changes(name)).isFalse();
    assertThat(merged.changes(WeightNames.inLayer(0, Projection.UP.path()))).isTrue();
    float[] row = new float[2];
    merged.decodeRow(matrix(name, new float[] {1, 2, 3, 4}, 2, 2), 1, row, 0);
    assertThat(row).containsExactly(3, 4);
  }

  @Test
  void aRoutedAdapterIsRefusedWithTheReason() {
    assertThatThrownBy(() -> new MergedWeights(adapter("up_proj=1,2", 5)))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "adapter: cannot be merged: up_proj of layer 1 chooses between 2 experts for each"
                + " token, so no fixed matrix computes the same; only adapters with one expert"
                + " everywhere can be merged");
  }

  @Test
  void aMatrixOfAnotherShapeIsRefused() {
    MergedWeights merged = new MergedWeights(adapter("up_proj=1", 5));
    String name = WeightNames.inLayer(0, Projection.UP.path());
    StoredMatrix matrix = matrix(name, new float[4], 2, 2);
    assertThatThrownBy(() -> merged.decodeRow(matrix, 0, new float[2], 0))
        .isInstanceOf(UsageException.class)
        .hasMessage(name + " is [2, 2], but the adapter was made for [20, 12]");
  }

  private static float[] tensor(
      LoadedAdapter adapter, Projection projection, AdapterTensor.Kind kind) {
    return adapter.layout().tensors().stream()
        .filter(t -> t.layer() == 1 && t.projection() == projection && t.kind() == kind)
        .findFirst()
        .orElseThrow()
        .read(adapter.parameters());
  }

  private static LoadedAdapter adapter(String experts, long seed) {
    AdapterParameters layout =
        new AdapterParameters(
            MODEL, new ExpertAllocation(experts, "3", "2", 6, 0, List.of()).resolve(MODEL));
    Random random = new Random(seed);
    float[] flat = new float[layout.size()];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) random.nextGaussian();
    }
    return new LoadedAdapter(Path.of("adapter"), layout, flat, AdapterProvenance.UNKNOWN);
  }

  private static StoredMatrix matrix(String name, float[] values, int out, int in) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[4 * values.length]);
    ValueLayout.OfFloat layout =
        ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < values.length; i++) {
      bytes.setAtIndex(layout, i, values[i]);
    }
    return new StoredMatrix(name, QuantType.F32, out, in, bytes, RowOrder.PLAIN);
  }
}
