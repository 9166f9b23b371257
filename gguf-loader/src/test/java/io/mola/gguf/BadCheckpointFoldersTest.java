package io.mola.gguf;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import io.mola.testdata.Fixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Broken checkpoint folders are refused with the facts. */
class BadCheckpointFoldersTest {
  private static final Map<String, List<String>> FACTS =
      Map.ofEntries(
          entry("sharded-missing-shard", List.of("model-00002-of-00002.safetensors is missing")),
          entry(
              "sharded-tensor-not-in-shard",
              List.of("lm_head.weight is not in model-00002-of-00002.safetensors")),
          entry(
              "sharded-tensor-not-in-index",
              List.of("model.norm.weight", "missing from the index")),
          entry("sharded-outside-folder", List.of("plain file name in the same folder: ../")),
          entry(
              "sharded-absolute-path",
              List.of("plain file name in the same folder: /etc/hostname")),
          entry(
              "sharded-index-not-json", List.of("model.safetensors.index.json", "not valid JSON")),
          entry("sharded-no-weight-map", List.of("model.safetensors.index.json", "no weight_map")),
          entry("sharded-duplicate-tensor", List.of("model.norm.weight is in two shards")),
          entry(
              "sharded-wrong-shape",
              List.of("model.layers.0.self_attn.k_proj.weight: expected [4, 4], found [2, 4]")));

  static Stream<Arguments> folders() {
    return StreamSupport.stream(
            Fixtures.json("bad/safetensors/manifest.json").get("files").spliterator(), false)
        .filter(e -> e.has("folder"))
        .map(e -> Arguments.argumentSet(e.get("folder").asString(), e));
  }

  @ParameterizedTest
  @MethodSource("folders")
  void isRefusedWithTheFactsOrRead(JsonNode entry) {
    String name = entry.get("folder").asString();
    Path folder = Fixtures.path("bad/safetensors/" + name);
    String verdict = entry.get("verdict").asString();
    Throwable fault = catchThrowable(() -> new CheckpointFormat().open(folder).close());
    if (fault == null) {
      assertThat(verdict).as("%s was read", name).contains("accept");
      return;
    }
    assertThat(verdict).as("%s was refused: %s", name, fault).contains("reject");
    assertThat(fault).isInstanceOf(MalformedFileException.class).hasMessageContaining(name);
    List<String> facts = FACTS.get(name);
    assertThat(facts).as("facts of %s: %s", name, entry.get("should_say")).isNotNull();
    for (String fact : facts) {
      assertThat(fault.getMessage()).contains(fact);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tiny_llama3_tied", "tiny_qwen3_sharded", "tiny_qwen3_tied"})
  void mlxQuantisedCheckpointsAreNamedAsSuch(String name) {
    Path folder = Fixtures.path("bad/" + name);
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("config.json")
        .hasMessageMatching("(?s).*(quantised|not supported; supported: llama, mistral).*");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '^',
      value = {
        "\"model_type\": \"llama\"|\"model_type\": \"gemma\"|gemma is not supported; supported: llama, mistral",
        "\"model_type\": \"llama\"|\"model_type\": [1]|model_type must be a string",
        "\"hidden_size\": 4|\"hidden_size\": 0|hidden_size must be a whole number of at least 1",
        "\"hidden_size\": 4|\"hidden_size\": \"4\"|hidden_size must be a whole number",
        "\"hidden_size\": 4|\"hidden\": 4|hidden_size is missing",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"attention_bias\": true|attention_bias true is not supported",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"mlp_bias\": true|mlp_bias true is not supported",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"mlp_bias\": {}|mlp_bias must be true or false",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"quantization_config\": {}|quantised checkpoints are not supported",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"hidden_act\": \"gelu\"|hidden_act gelu is not supported; only silu",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"hidden_size\": 4|hidden_size",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"head_dim\": 2147483646|do not fit",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"rope_scaling\": {\"type\": \"yarn\"}|rope scaling yarn is not supported",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"rope_scaling\": {\"type\": \"linear\"}|factor is missing",
        "\"hidden_size\": 4|\"hidden_size\": 4, \"rope_theta\": 1e999|rope_theta must be a positive number",
      })
  void unsupportedConfigurationIsNamed(String from, String to, String message, @TempDir Path folder)
      throws IOException {
    String fine =
        """
        {"model_type": "llama", "hidden_size": 4, "intermediate_size": 8, "vocab_size": 5,
         "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
        """;
    assertThat(fine).contains(from);
    Files.writeString(folder.resolve("config.json"), fine.replace(from, to));
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining(message);
  }

  @Test
  void aFolderWithoutWeightsSaysWhatIsExpected(@TempDir Path folder) throws IOException {
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining("safetensors");
    Files.copy(
        Fixtures.path("bad/safetensors/sharded-fine/config.json"), folder.resolve("config.json"));
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("model.safetensors");
  }

  @Test
  void untiedModelsNeedTheirHead(@TempDir Path folder) throws IOException {
    Path tied = Fixtures.path("golden/families/llama-gqa-tied");
    Files.copy(tied.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    String config = Files.readString(tied.resolve("config.json"));
    assertThat(config.toLowerCase(Locale.ROOT)).contains("\"tie_word_embeddings\": true");
    Files.writeString(
        folder.resolve("config.json"),
        config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"));
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("lm_head.weight is missing");
  }
}
