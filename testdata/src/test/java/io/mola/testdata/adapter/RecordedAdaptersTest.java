package io.mola.testdata.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.model.Projection;
import io.mola.core.quant.QuantType;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.Rope;
import io.mola.testdata.Fixtures;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Adapters that other programs wrote. */
class RecordedAdaptersTest {
  @TempDir private Path temp;

  @ParameterizedTest
  @ValueSource(strings = {"authors", "masked", "gqa", "per-module", "lora", "accumulation"})
  void theAuthorsTensorsTellExpertsAndRanks(String name) {
    String folder = "golden/mola-step/" + name;
    JsonNode recorded = Fixtures.json(folder + "/case.json");
    Path file = Fixtures.path(folder + "/adapter_init.safetensors");
    LoadedAdapter adapter =
        AdapterFolder.load(
            file,
            config(Fixtures.json(folder + "/config.json")),
            new AdapterFolder.Defaults(2, recorded.get("alpha").asDouble()));
    AdapterShape shape = adapter.layout().shape();
    for (int l = 0; l < shape.layers().size(); l++) {
      JsonNode experts = recorded.get("num_experts").get(l);
      assertThat(shape.layers().get(l).rank()).isEqualTo(recorded.get("rank").get(l).asInt());
      assertThat((double) shape.scale(l)).isEqualTo(recorded.get("scaling").get(l).asDouble());
      for (Projection projection : Projection.values()) {
        int n = (experts.isObject() ? experts.get(projection.shortName()) : experts).asInt();
        assertThat(shape.layers().get(l).experts(projection)).isEqualTo(n);
      }
    }
    assertHoldsTheFile(adapter, file, AdapterTensor::name);
    AdapterFolder.save(
        temp, adapter.layout(), adapter.parameters(), AdapterProvenance.UNKNOWN, false);
    LoadedAdapter again =
        AdapterFolder.load(temp, adapter.layout().config(), AdapterFolder.Defaults.OF_THE_PAPER);
    assertThat(again.parameters()).isEqualTo(adapter.parameters());
    assertThat(again.layout().shape()).isEqualTo(shape);
  }

  @ParameterizedTest
  @ValueSource(strings = {"all7-r4", "qv-r8"})
  void peftsLoraIsReadAndWrittenTensorForTensor(String name) {
    Path folder = Fixtures.path("golden/lora-gguf/" + name);
    JsonNode peft = Fixtures.json("golden/lora-gguf/" + name + "/adapter_config.json");
    ModelConfig config = configOf(folder.resolve(AdapterFolder.TENSORS));
    LoadedAdapter adapter = AdapterFolder.load(folder, config, new AdapterFolder.Defaults(7, 1234));
    AdapterShape shape = adapter.layout().shape();
    assertThat(shape.alpha()).isEqualTo(peft.get("lora_alpha").asDouble());
    assertThat(shape.layers())
        .allMatch(layer -> layer.rank() == peft.get("r").asInt() && layer.topK() == 1);
    assertThat(adapter.provenance().baseModel()).isEqualTo("tiny-f16");
    AdapterFolder.save(temp, adapter.layout(), adapter.parameters(), adapter.provenance(), false);
    assertHoldsTheFile(adapter, temp.resolve(AdapterFolder.TENSORS), AdapterTensor::peftName);
    try (SafetensorsFile original = SafetensorsFile.open(folder.resolve(AdapterFolder.TENSORS));
        SafetensorsFile written = SafetensorsFile.open(temp.resolve(AdapterFolder.TENSORS))) {
      assertThat(written.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(original.tensors().keySet());
      for (SafetensorsTensor tensor : original.tensors().values()) {
        SafetensorsTensor own = written.tensors().get(tensor.name());
        assertThat(own).isNotNull();
        assertThat(own.shape()).isEqualTo(tensor.shape());
        assertThat(own.bytes().mismatch(tensor.bytes())).as(tensor.name()).isEqualTo(-1);
      }
    }
  }

  @Test
  void aLoraSaysTheSameToPeft() {
    Path folder = Fixtures.path("golden/lora-gguf/qv-r8");
    JsonNode peft = Fixtures.json("golden/lora-gguf/qv-r8/adapter_config.json");
    ModelConfig config = configOf(folder.resolve(AdapterFolder.TENSORS));
    LoadedAdapter adapter = AdapterFolder.load(folder, config, AdapterFolder.Defaults.OF_THE_PAPER);
    AdapterFolder.save(temp, adapter.layout(), adapter.parameters(), adapter.provenance(), false);
    JsonNode own = new JsonMapper().readTree(temp.resolve(AdapterFolder.CONFIG).toFile());
    for (String key : own.propertyNames()) {
      JsonNode theirs = peft.get(key);
      assertThat(theirs).as(key).isNotNull();
      if (theirs.isNumber()) {
        assertThat(own.get(key).asDouble()).as(key).isEqualTo(theirs.asDouble());
      } else {
        assertThat(own.get(key)).as(key).isEqualTo(theirs);
      }
    }
  }

  private static void assertHoldsTheFile(
      LoadedAdapter adapter, Path file, Function<AdapterTensor, String> name) {
    try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
      assertThat(safetensors.tensors()).hasSize(adapter.layout().tensors().size());
      for (AdapterTensor tensor : adapter.layout().tensors()) {
        SafetensorsTensor stored = safetensors.tensors().get(name.apply(tensor));
        assertThat(stored).as(name.apply(tensor)).isNotNull();
        assertThat(tensor.read(adapter.parameters()))
            .isEqualTo(stored.bytes().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
      }
    }
  }

  private static ModelConfig config(JsonNode json) {
    int heads = json.get("num_attention_heads").asInt();
    int hidden = json.get("hidden_size").asInt();
    return model(
        hidden,
        json.get("intermediate_size").asInt(),
        json.get("num_hidden_layers").asInt(),
        heads,
        json.has("num_key_value_heads") ? json.get("num_key_value_heads").asInt() : heads,
        hidden / heads);
  }

  /** Sizes of the base of a LoRA, as far as its own tensors tell them. */
  private static ModelConfig configOf(Path file) {
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      Map<String, SafetensorsTensor> all = tensors.tensors();
      String first = "base_model.model.model.layers.0.";
      int layers =
          1
              + all.keySet().stream()
                  .mapToInt(key -> Integer.parseInt(key.replaceAll(".*layers\\.(\\d+)\\..*", "$1")))
                  .max()
                  .orElseThrow();
      int hidden = dim(all, first + "self_attn.q_proj.lora_A.weight", 1);
      int query = dim(all, first + "self_attn.q_proj.lora_B.weight", 0);
      int key = dim(all, first + "self_attn.v_proj.lora_B.weight", 0);
      int wide = dim(all, first + "mlp.up_proj.lora_B.weight", 0);
      return model(hidden, wide, layers, query / 2, key / 2, 2);
    }
  }

  private static int dim(Map<String, SafetensorsTensor> tensors, String name, int axis) {
    SafetensorsTensor tensor = tensors.get(name);
    return tensor == null ? 64 : Math.toIntExact(tensor.shape().get(axis));
  }

  private static ModelConfig model(
      int hidden, int wide, int layers, int heads, int kvHeads, int headDim) {
    return new ModelConfig(
        "llama",
        hidden,
        wide,
        layers,
        heads,
        kvHeads,
        headDim,
        512,
        1e-5,
        new Rope(10000, new Rope.Plain()),
        256,
        0,
        true,
        QuantType.F32);
  }
}
