package io.mola.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.TokenizerSource;
import io.mola.core.weights.WeightSource;
import io.mola.testdata.Fixtures;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** One model in several containers, and the same models as checkpoint and as GGUF. */
class GgufVariantsTest {
  private static final String VARIANTS = "golden/gguf-quantised/variants/";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mini",
        "mini-v1",
        "mini-v2",
        "mini-align64",
        "mini-align8",
        "mini-00001-of-00002",
        "mini-shuffled-infos"
      })
  void everyContainerHoldsTheSameTensors(String name) {
    JsonNode expected = Fixtures.json(VARIANTS + "manifest.json").get("tensors");
    Weights.with(
        Fixtures.path(VARIANTS + name + ".gguf"),
        source -> {
          assertThat(source.tensors()).hasSize(expected.size());
          for (JsonNode tensor : expected) {
            requireTensor(source, tensor);
          }
        });
  }

  private static void requireTensor(WeightSource source, JsonNode expected) {
    String name = expected.get("name").asString();
    StoredMatrix matrix = GgufNames.canonical(name).flatMap(source::find).orElseThrow();
    assertThat(matrix.type().name()).isEqualTo(expected.get("type").asString());
    byte[] bytes = matrix.bytes().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    assertThat(sha256(bytes))
        .as(name)
        .isEqualTo(expected.get("sha256_of_little_endian_bytes").asString());
    StoredMatrix inFileOrder =
        new StoredMatrix(
            name, matrix.type(), matrix.out(), matrix.in(), matrix.bytes(), RowOrder.PLAIN);
    float[] row = new float[matrix.in()];
    ByteBuffer decoded =
        ByteBuffer.allocate(4 * matrix.out() * matrix.in()).order(ByteOrder.LITTLE_ENDIAN);
    for (int r = 0; r < matrix.out(); r++) {
      RowDecoder.decodeRow(inFileOrder, r, row, 0);
      for (float value : row) {
        decoded.putFloat(value);
      }
    }
    assertThat(sha256(decoded.array()))
        .as(name)
        .isEqualTo(expected.get("sha256_of_decoded_float32").asString());
  }

  @Test
  void theFingerprintIsThatOfTheTensorsNotOfTheContainer(@TempDir Path folder) throws IOException {
    Path mini = Fixtures.path(VARIANTS + "mini.gguf");
    List<String> prints = new ArrayList<>();
    for (String name : List.of("mini", "mini-v1", "mini-00001-of-00002", "mini-shuffled-infos")) {
      Weights.with(
          Fixtures.path(VARIANTS + name + ".gguf"), source -> prints.add(source.fingerprint()));
    }
    assertThat(prints).containsOnly(prints.getFirst());
    Weights.with(mini, source -> assertThat(source.fingerprint()).isEqualTo(digest(source)));

    byte[] changed = Files.readAllBytes(mini);
    changed[changed.length - 1] ^= 1;
    Path copy = folder.resolve("changed.gguf");
    Files.write(copy, changed);
    Weights.with(copy, source -> assertThat(source.fingerprint()).isNotIn(prints));
  }

  /** The definition, written out: tensors by name; name, type, shape, bytes. */
  private static String digest(WeightSource source) {
    Map<String, byte[]> parts = new TreeMap<>();
    for (WeightSource.TensorInfo info : source.tensors()) {
      byte[] head =
          (info.name() + "\n" + info.type() + "\n" + info.shape() + "\n")
              .getBytes(StandardCharsets.UTF_8);
      byte[] data =
          GgufNames.canonical(info.name())
              .flatMap(source::find)
              .orElseThrow()
              .bytes()
              .toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
      parts.put(
          info.name(), ByteBuffer.allocate(head.length + data.length).put(head).put(data).array());
    }
    MessageDigest digest = digest();
    parts.values().forEach(digest::update);
    return HexFormat.of().formatHex(digest.digest());
  }

  @Test
  void bigEndianFilesAndLaterShardsAreRefusedByName() {
    assertThatThrownBy(
            () -> new GgufFormat().open(Fixtures.path(VARIANTS + "mini-big-endian.gguf")))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("big-endian");
    assertThatThrownBy(
            () -> new GgufFormat().open(Fixtures.path(VARIANTS + "mini-00002-of-00002.gguf")))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("name the first one, mini-00001-of-00002.gguf");
  }

  @ParameterizedTest
  @ValueSource(strings = {"zoo-kv-only", "zoo-nested-array"})
  void everyMetadataTypeIsReadExactly(String name) {
    JsonNode expected = Fixtures.json(VARIANTS + "zoo-expected.json");
    try (GgufFile file = GgufFile.open(Fixtures.path(VARIANTS + name + ".gguf"))) {
      assertThat(file.tensors()).isEmpty();
      file.metadata()
          .forEach((key, value) -> {
            JsonNode node = expected.get(key);
            assertThat(node).as(key).isNotNull();
            requireValue(key, value, node);
          });
      assertThat(file.metadata()).hasSizeGreaterThan(25);
    }
  }

  private static void requireValue(String key, Object value, JsonNode expected) {
    switch (value) {
      case List<?> list -> {
        assertThat(list).as(key).hasSize(expected.size());
        for (int i = 0; i < list.size(); i++) {
          requireValue(key, list.get(i), expected.get(i));
        }
      }
      case Double d when key.contains("f32") ->
          assertThat(d.floatValue()).as(key).isEqualTo((float) expected.doubleValue());
      case Double d -> assertThat(d).as(key).isEqualTo(expected.doubleValue());
      case Boolean b -> assertThat(b).as(key).isEqualTo(expected.booleanValue());
      case String s -> assertThat(s).as(key).isEqualTo(expected.stringValue());
      default -> assertThat(value.toString()).as(key).isEqualTo(expected.toString());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "golden/families/llama, golden/families/llama/model-f32.gguf",
    "golden/families/llama-gqa-tied, golden/families/llama-gqa-tied/model-f32.gguf",
    "golden/families/llama3-rope, golden/families/llama3-rope/model-bf16.gguf",
    "golden/families/mistral-swa, golden/families/mistral-swa/model-f32.gguf",
    "models/stories260k, models/stories260k/stories260k-f32.gguf",
    "models/stories260k, models/stories260k/tinyllamas-stories-260k-f32.gguf",
  })
  void checkpointAndGgufOfAModelAreEqual(String checkpoint, String gguf) {
    Weights.with(
        Fixtures.path(checkpoint),
        a ->
            Weights.with(
                Fixtures.path(gguf),
                b -> {
                  requireSameShape(a.config(), b.config());
                  for (WeightSource.TensorInfo info : a.tensors()) {
                    assertThat(Weights.decoded(b, info.name()))
                        .as(info.name())
                        .isEqualTo(Weights.decoded(a, info.name()));
                  }
                }));
  }

  private static void requireSameShape(ModelConfig a, ModelConfig b) {
    assertThat(List.of(b.hiddenSize(), b.intermediateSize(), b.layers(), b.heads()))
        .isEqualTo(List.of(a.hiddenSize(), a.intermediateSize(), a.layers(), a.heads()));
    assertThat(List.of(b.kvHeads(), b.headDim(), b.vocabularySize()))
        .isEqualTo(List.of(a.kvHeads(), a.headDim(), a.vocabularySize()));
    assertThat((float) b.rmsEpsilon()).isEqualTo((float) a.rmsEpsilon());
    double[] expected = a.rope().frequencies(a.headDim());
    double[] frequencies = b.rope().frequencies(b.headDim());
    assertThat(frequencies).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      // divisors and bases are stored as float32
      assertThat(frequencies[i])
          .isCloseTo(expected[i], org.assertj.core.data.Percentage.withPercentage(1e-5));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gemma",
        "gemma2",
        "gemma3-text",
        "granite",
        "olmo2",
        "phi3",
        "phi3-longrope",
        "qwen2",
        "qwen3",
        "smollm3"
      })
  void otherFamiliesAreRefusedByName(String family) throws IOException {
    Path folder = Fixtures.path("golden/families/" + family);
    assertThatThrownBy(() -> new CheckpointFormat().open(folder))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("is not supported; supported: llama, mistral");
    try (var files = Files.list(folder)) {
      Path gguf =
          files
              .filter(f -> f.toString().toLowerCase(Locale.ROOT).endsWith(".gguf"))
              .findFirst()
              .orElseThrow();
      assertThatThrownBy(() -> new GgufFormat().open(gguf))
          .isInstanceOf(MalformedFileException.class)
          .hasMessageContaining("is not supported; supported: llama");
    }
  }

  @Test
  void theVocabularyOfARealModelIsRead() {
    Weights.with(
        Fixtures.path("models/smollm2-135m-instruct-q4_1.gguf"),
        source -> {
          assertThat(source.config().tiedEmbeddings()).isTrue();
          assertThat(source.tensors()).hasSize(272);
          TokenizerSource.Vocabulary v = (TokenizerSource.Vocabulary) source.tokenizer();
          assertThat(v.model()).isEqualTo("gpt2");
          assertThat(v.pre()).isEqualTo("smollm");
          assertThat(v.tokens()).hasSize(49152);
          assertThat(v.merges()).isNotEmpty();
          assertThat(v.eos()).isEqualTo(2);
          assertThat(v.chatTemplate()).contains("im_start");
        });
  }

  private static String sha256(byte[] bytes) {
    return HexFormat.of().formatHex(digest().digest(bytes));
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
