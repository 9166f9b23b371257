package io.mola.core.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.Experts;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdapterParametersTest {
  private static final ModelConfig MODEL = Models.model(12, 20, 3, 3, 1, 4);
  private static final AdapterParameters MIXED =
      parameters("q_proj=123;k_proj=3;gate_proj=1;up_proj=5;down_proj=2", "2,3,4");

  @Test
  void tensorsFillTheFlatTensorWithoutOverlap() {
    Set<Integer> used = new HashSet<>();
    for (AdapterTensor tensor : MIXED.tensors()) {
      for (int i = 0; i < tensor.size(); i++) {
        assertThat(used.add(tensor.offset() + i)).as(tensor.name()).isTrue();
      }
    }
    assertThat(used).hasSize(Math.toIntExact(MIXED.shape().parameters(MODEL)));
    assertThat(used).allMatch(i -> i < MIXED.size());
    assertThat(MIXED.size()).isEqualTo(MIXED.rows() * AdapterParameters.COLUMNS);
  }

  @Test
  void viewsAndNamedTensorsMeanTheSameElements() {
    float[] flat = new float[MIXED.size()];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = i;
    }
    Experts experts = MIXED.experts(view(), 1, Projection.Group.QKV).orElseThrow();
    assertThat(experts.members()).hasSize(3);
    assertThat(experts.stackedRank())
        .isEqualTo(MIXED.stackedRank(1, Projection.Group.QKV))
        .isEqualTo(15);
    assertThat(experts.routed()).isEqualTo(MIXED.routed(1, Projection.Group.QKV)).isEqualTo(5);
    Experts.Member k = experts.members().get(1);
    assertThat(k.topK()).isEqualTo(2);
    Span a = (Span) experts.a();
    Span b = (Span) java.util.Objects.requireNonNull(k.b());
    Span router = (Span) java.util.Objects.requireNonNull(experts.router());
    float[] a2 = named("layers.1.self_attn.k_proj.lora_A_2.weight").read(flat);
    float[] b2 = named("layers.1.self_attn.k_proj.lora_B_2.weight").read(flat);
    float[] r = named("layers.1.self_attn.k_proj.router.router.weight").read(flat);
    int rank = 3;
    int out = 4;
    for (int j = 0; j < rank; j++) {
      for (int c = 0; c < 12; c++) {
        assertThat(a2[j * 12 + c]).isEqualTo(a.offset() + (k.rankOffset() + 2 * rank + j) * 12 + c);
      }
      for (int o = 0; o < out; o++) {
        assertThat(b2[o * rank + j]).isEqualTo(b.offset() + (2 * rank + j) * out + o);
      }
    }
    assertThat(r[0]).isEqualTo(router.offset() + k.expertOffset() * 12);
    Experts.Member v = experts.members().get(2);
    assertThat(v.experts()).isZero();
    assertThat(v.b()).isNull();
  }

  @Test
  void blocksAreAlignedAndGroupsWithoutExpertsAreAbsent() {
    for (int layer = 0; layer < 3; layer++) {
      for (Projection.Group group : Projection.Group.values()) {
        MIXED
            .experts(view(), layer, group)
            .ifPresent(e -> assertThat(((Span) e.a()).offset() % 32).isZero());
      }
    }
    assertThat(MIXED.adapts(0, Projection.Group.O)).isFalse();
    assertThat(MIXED.experts(view(), 0, Projection.Group.O)).isEmpty();
    assertThat(MIXED.routed(0, Projection.Group.O)).isZero();
  }

  @Test
  void writeIsTheInverseOfRead() {
    float[] flat = MIXED.initial(7);
    float[] copy = new float[flat.length];
    for (AdapterTensor tensor : MIXED.tensors()) {
      float[] values = tensor.read(flat);
      if (tensor.kind() == AdapterTensor.Kind.B) {
        for (int i = 0; i < values.length; i++) {
          values[i] = tensor.offset() + i;
        }
        tensor.write(values, flat);
      }
      tensor.write(values, copy);
    }
    assertThat(copy).isEqualTo(flat);
  }

  @Test
  void initialValuesAreBoundedAndSpreadAndBIsZero() {
    AdapterParameters big = parameters("2", "8", Models.model(256, 512, 2, 4, 4, 64));
    float[] flat = big.initial(42);
    for (AdapterTensor tensor : big.tensors()) {
      float[] values = tensor.read(flat);
      double bound = 1 / Math.sqrt(tensor.cols());
      double sum = 0;
      double squares = 0;
      for (float value : values) {
        assertThat(Math.abs((double) value)).isLessThanOrEqualTo(bound);
        sum += value;
        squares += (double) value * value;
      }
      if (tensor.kind() == AdapterTensor.Kind.B) {
        assertThat(squares).isZero();
      } else {
        // mean of k uniform values has deviation bound / sqrt(3k); five of them leave room
        double deviation = bound / Math.sqrt(3.0 * values.length);
        assertThat(sum / values.length).isBetween(-5 * deviation, 5 * deviation);
        assertThat(squares / values.length / (bound * bound)).isBetween(0.25, 0.42);
      }
    }
  }

  @Test
  void initialValuesDependOnTheSeedAndThePlaceOnly() {
    AdapterParameters small = parameters("2", "2");
    AdapterParameters large = parameters("5", "2");
    AdapterTensor inSmall = named(small, "layers.2.mlp.down_proj.lora_A_1.weight");
    AdapterTensor inLarge = named(large, "layers.2.mlp.down_proj.lora_A_1.weight");
    assertThat(inSmall.read(small.initial(1))).isEqualTo(inLarge.read(large.initial(1)));
    assertThat(inSmall.read(small.initial(1))).isNotEqualTo(inSmall.read(small.initial(2)));
    assertThat(inSmall.read(small.initial(1)))
        .isNotEqualTo(named(small, "layers.2.mlp.down_proj.lora_A_0.weight").read(small.initial(1)))
        .isNotEqualTo(
            named(small, "layers.1.mlp.down_proj.lora_A_1.weight").read(small.initial(1)));
  }

  @Test
  void anAdapterThatFitsNoArrayIsRefusedBeforeItIsAllocated() {
    assertThatThrownBy(() -> parameters("64x32", "64", Models.LLAMA_2_7B))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "the adapter would have 10,306,977,792 parameters and 2,147,481,600 is the most;"
                + " lower num_experts or lora_r");
    assertThatThrownBy(() -> new AdapterParameters(Models.LLAMA_2_7B, MIXED.shape()))
        .isInstanceOf(UsageException.class)
        .hasMessage("the adapter has 3 layers, but the model has 32");
  }

  private static AdapterTensor named(String end) {
    return named(MIXED, end);
  }

  private static AdapterTensor named(AdapterParameters parameters, String end) {
    return parameters.tensors().stream()
        .filter(tensor -> tensor.name().equals("base_model.model.model." + end))
        .findFirst()
        .orElseThrow();
  }

  private static AdapterParameters parameters(String experts, String rank) {
    return parameters(experts, rank, MODEL);
  }

  private static AdapterParameters parameters(String experts, String rank, ModelConfig model) {
    return new AdapterParameters(
        model, new ExpertAllocation(experts, rank, "2", 16, 0, List.of()).resolve(model));
  }

  private static Span view() {
    return new Span(0, MIXED.rows(), AdapterParameters.COLUMNS);
  }

  /** A tensor without data: enough to see where views lie. */
  private record Span(int offset, int rows, int cols) implements Tensor {
    @Override
    public Tensor slice(long from, int rows, int cols) {
      assertThat(from + (long) rows * cols).isLessThanOrEqualTo((long) this.rows * this.cols);
      return new Span(Math.toIntExact(offset + from), rows, cols);
    }
  }
}
