package io.mola.core.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.weights.ModelConfig;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertAllocationTest {
  private static final ModelConfig SIX = Models.model(16, 32, 6, 2, 2, 8);

  @ParameterizedTest
  @CsvSource({
    "2468, 105635840",
    "5555, 105635840",
    "8642, 105635840",
    "8228, 105635840",
    "2882, 105635840",
    "inverted-triangle, 105635840",
    "triangle, 105635840",
    "hourglass, 105635840",
    "diamond, 105635840",
    "rectangle, 105635840",
    "square, 105635840",
    "8888, 169017344",
    "8, 169017344",
    "4444, 84508672",
    "2356, 84508672",
    "2662, 84508672",
    "6532, 84508672",
    "6226, 84508672",
    "10-2-2-2, 84508672",
  })
  void llama2ParametersAreThoseOfThePaper(String experts, long parameters) {
    assertThat(resolve(experts, Models.LLAMA_2_7B).parameters(Models.LLAMA_2_7B))
        .isEqualTo(parameters);
  }

  @Test
  void otherModelsParametersFollowTheFormula() {
    assertThat(resolve("5555", Models.MISTRAL_7B).parameters(Models.MISTRAL_7B))
        .isEqualTo(111_083_520);
    assertThat(resolve("8888", Models.MISTRAL_7B).parameters(Models.MISTRAL_7B))
        .isEqualTo(177_733_632);
    assertThat(resolve("5555", Models.GEMMA_7B).parameters(Models.GEMMA_7B)).isEqualTo(131_174_400);
    ExpertAllocation lora = new ExpertAllocation("1", "64", "2", 16, 0, List.of());
    assertThat(lora.resolve(Models.LLAMA_2_7B).parameters(Models.LLAMA_2_7B))
        .isEqualTo(159_907_840);
  }

  @Test
  void groupsThatDoNotDivideTheLayersAreLargerFirst() {
    assertThat(LayerNumbers.groupSizes(30, 4)).containsExactly(8, 8, 7, 7);
    ModelConfig model = Models.SMOLLM2_135M;
    AdapterShape shape = resolve("2468", model);
    assertThat(ExpertAllocation.describe(shape, model))
        .isEqualTo(
            "experts 2x8,4x8,6x7,8x7 (sum 146), rank 8, top-k 2, "
                + String.format(Locale.ROOT, "%,d trainable parameters", shape.parameters(model)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "2,2,2,4,4,4 | 2,2,2,4,4,4",
        "2x3, 4x3    | 2,2,2,4,4,4",
        "2x5,9       | 2,2,2,2,2,9",
        "24          | 2,2,2,4,4,4",
        "2468        | 2,2,4,4,6,8",
        "10-2-3      | 10,10,2,2,3,3",
        "5           | 5,5,5,5,5,5",
        "DIAMOND     | 2,2,8,8,8,2",
        "inverted_triangle | 2,2,4,4,6,8",
      })
  void readsEveryForm(String text, String expected) {
    assertThat(new LayerNumbers("num_experts", 6).perLayerOrGroup(text))
        .containsExactly(numbers(expected));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"1 | 6", "2 | 4,8", "3 | 2,6,8", "4 | 2,4,6,8", "5 | 2,2,4,6,8"})
  void shapeFitsAnyDepth(int layers, String expected) {
    assertThat(new LayerNumbers("num_experts", layers).perLayerOrGroup("inverted-triangle"))
        .containsExactly(numbers(expected));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "2,2,4        | num_experts: '2,2,4' covers 3 layers, but the model has 6; one number per"
            + " layer",
        "2,2,2,2,2,2,2,2 | num_experts: '2,2,2,2,2,2,2,2' covers 8 layers, but the model has 6; one"
            + " number per layer",
        "2x3,4x2      | num_experts: '2x3,4x2' covers 5 layers, but the model has 6 (2x8 means the"
            + " number 2 for 8 layers)",
        "2x2000000000 | num_experts: '2x2000000000' covers more than 6 layers, but the model has 6"
            + " (2x8 means the number 2 for 8 layers)",
        "2222222      | num_experts: 2222222 names 7 groups of layers, but the model has 6 layers;"
            + " give one number per layer",
        "2,2,2,0,2,2  | num_experts: expert count 0 in layer 3; must be at least 1",
        "10           | num_experts: 10 is read as one digit per group of layers, and 0 is no"
            + " number of experts; for 10 in every layer write 10x6",
        "99999999999x6 | num_experts: 99999999999 in '99999999999x6' is too large",
        "pyramid      | num_experts: cannot read 'pyramid' in 'pyramid'; write a number, a list as"
            + " long as the model has layers, runs like 2x8,4x8, digits like 2468 or one of"
            + " diamond, hourglass, inverted-triangle, rectangle, square, triangle",
        "q_proj=2;lm_head=2 | num_experts: no projection 'lm_head'; there are q_proj, k_proj,"
            + " v_proj, o_proj, gate_proj, up_proj, down_proj",
        "q_proj=2;q_proj=4 | num_experts: q_proj is given twice in 'q_proj=2;q_proj=4'",
        "q_proj=2;4   | num_experts: '4' in 'q_proj=2;4' names no projection; write"
            + " q_proj=2468;down_proj=4",
      })
  void saysWhatDoesNotFit(String text, String message) {
    assertThatThrownBy(() -> resolve(text, SIX))
        .isInstanceOf(UsageException.class)
        .hasMessage(message);
  }

  @Test
  void rankAndTopKMayDifferByLayer() {
    AdapterShape shape =
        new ExpertAllocation("1,2,4,4,5,6", "4x3,16x3", "1,2,2,3,3,3", 8, 0, List.of())
            .resolve(SIX);
    assertThat(shape.layers())
        .extracting(AdapterShape.Layer::rank)
        .containsExactly(4, 4, 4, 16, 16, 16);
    assertThat(shape.layers())
        .extracting(AdapterShape.Layer::topK)
        .containsExactly(1, 2, 2, 3, 3, 3);
    assertThat(shape.scale(0)).isEqualTo(2f);
    assertThat(shape.scale(5)).isEqualTo(0.5f);
  }

  @Test
  void aRankOfSeveralDigitsIsOneNumber() {
    AdapterShape shape = new ExpertAllocation("2", "16", "2", 8, 0, List.of()).resolve(SIX);
    assertThat(shape.layers()).extracting(AdapterShape.Layer::rank).containsOnly(16);
  }

  @Test
  void topKAboveTheExpertsIsRefusedExceptForOneExpert() {
    assertThatThrownBy(() -> new ExpertAllocation("2468", "8", "3", 16, 0, List.of()).resolve(SIX))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "top_k: layer 0 chooses 3 of 2 experts; lower top_k or raise num_experts there");
    AdapterShape lora = new ExpertAllocation("1", "8", "3", 16, 0, List.of()).resolve(SIX);
    assertThat(lora.layers()).extracting(AdapterShape.Layer::topK).containsOnly(1);
  }

  @Test
  void projectionsMayDifferAndTakeAtMostTheirExperts() {
    AdapterShape shape =
        new ExpertAllocation("q_proj=123; mlp.down_proj=5", "8", "3", 16, 0, List.of())
            .resolve(SIX);
    AdapterShape.Layer first = shape.layers().getFirst();
    assertThat(first.experts(Projection.Q)).isEqualTo(1);
    assertThat(first.experts(Projection.K)).isZero();
    assertThat(first.topK(Projection.Q)).isEqualTo(1);
    assertThat(shape.layers().get(3).topK(Projection.Q)).isEqualTo(2);
    assertThat(first.topK(Projection.DOWN)).isEqualTo(3);
    assertThat(ExpertAllocation.describe(shape, SIX))
        .startsWith("experts q_proj: 1x2,2x2,3x2 (sum 12); down_proj: 5x6 (sum 30), rank 8");
  }

  @Test
  void targetModulesAreNamesOrAllLinear() {
    assertThat(targets("all-linear").layers().getFirst().experts()).hasSize(7);
    assertThat(targets("v_proj", "q_proj").layers().getFirst().experts())
        .containsOnlyKeys(Projection.Q, Projection.V);
    assertThatThrownBy(() -> targets("query"))
        .hasMessageContaining("lora_target_modules: no projection 'query'");
    ExpertAllocation both = new ExpertAllocation("q_proj=2", "8", "2", 16, 0, List.of("v_proj"));
    assertThatThrownBy(() -> both.resolve(SIX))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "num_experts names q_proj, but lora_target_modules v_proj; leave one of them out");
  }

  @Test
  void numbersOutOfRangeAreRefused() {
    assertThatThrownBy(() -> new ExpertAllocation("2", "0", "2", 16, 0, List.of()).resolve(SIX))
        .hasMessage("lora_r: rank 0 in layer 0; must be at least 1");
    assertThatThrownBy(() -> new ExpertAllocation("2", "8", "0", 16, 0, List.of()).resolve(SIX))
        .hasMessage("top_k: top-k 0 in layer 0; must be at least 1");
    assertThatThrownBy(() -> new ExpertAllocation("2", "8", "2", 16, 1, List.of()))
        .hasMessage("lora_dropout 1.0: must be at least 0 and below 1");
    assertThatThrownBy(() -> new ExpertAllocation("2", "8", "2", 0, 0, List.of()))
        .hasMessage("lora_alpha 0.0: must be above 0");
  }

  @Test
  void yamlValuesBecomeText() {
    assertThat(ExpertAllocation.text("num_experts", 2468)).isEqualTo("2468");
    assertThat(ExpertAllocation.text("num_experts", List.of(2, 4))).isEqualTo("2,4");
    assertThat(ExpertAllocation.text("num_experts", Map.of("q_proj", List.of(2, 4))))
        .isEqualTo("q_proj=2,4");
    assertThatThrownBy(() -> ExpertAllocation.text("num_experts", 2.5))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("num_experts: 2.5");
  }

  private static AdapterShape resolve(String experts, ModelConfig model) {
    return new ExpertAllocation(experts, "8", "2", 16, 0.05, List.of()).resolve(model);
  }

  private static AdapterShape targets(String... names) {
    return new ExpertAllocation("2", "8", "2", 16, 0, List.of(names)).resolve(SIX);
  }

  private static int[] numbers(String list) {
    return java.util.Arrays.stream(list.strip().split(",", -1))
        .mapToInt(Integer::parseInt)
        .toArray();
  }
}
