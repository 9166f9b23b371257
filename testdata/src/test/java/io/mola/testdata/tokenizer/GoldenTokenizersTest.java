package io.mola.testdata.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.tokenizer.TokenStream;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.tokenizer.Tokenizers;
import io.mola.core.weights.TokenizerSource;
import io.mola.testdata.Fixtures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Ids equal to those of the models' own tokenizers. */
class GoldenTokenizersTest {
  private static final JsonMapper MAPPER = JsonMapper.shared();

  @TempDir Path temp;

  @Test
  void smollm2IdsAndTextsAreTheRecordedOnes() {
    Tokenizer tokenizer = gguf("golden/tokenizers/smollm2-vocab.gguf");
    JsonNode golden = json("golden/tokenizers/smollm2.json");
    assertThat(tokenizer.vocabularySize()).isEqualTo(golden.path("vocabulary_size").intValue());
    assertThat(golden.path("strings").size()).isEqualTo(60);
    SoftAssertions softly = new SoftAssertions();
    for (JsonNode entry : golden.path("strings")) {
      String text = entry.path("text").stringValue();
      int[] ids = tokenizer.encode(text, true);
      softly.assertThat(ids).as(text).isEqualTo(ints(entry.path("ids")));
      softly
          .assertThat(tokenizer.encode(text, false))
          .as("plain " + text)
          .isEqualTo(ints(entry.path("ids_without_special_tokens")));
      softly.assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
      softly.assertThat(streamed(tokenizer, ids)).isEqualTo(text);
    }
    softly.assertAll();
  }

  @Test
  void smollm2StopsAtItsEndOfTurnAndEndOfText() {
    Tokenizer tokenizer = gguf("golden/tokenizers/smollm2-vocab.gguf");
    assertThat(tokenizer.isStop(0)).isTrue();
    assertThat(tokenizer.isStop(1)).isFalse();
    assertThat(tokenizer.isStop(2)).isTrue();
    assertThat(tokenizer.addsBos()).isFalse();
    assertThat(tokenizer.eos()).isEqualTo(2);
    assertThat(tokenizer.chatTemplate()).isPresent();
  }

  @Test
  void smollm2ModelTextsHaveTheRecordedIds() {
    Tokenizer tokenizer = gguf("models/smollm2-135m-instruct-q4_1.gguf");
    for (JsonNode text : json("golden/models/smollm2-135m/golden.json").path("texts")) {
      assertThat(tokenizer.encode(text.path("text").stringValue(), true))
          .isEqualTo(ints(text.path("ids")));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-spm", "gpt-2", "deepseek-coder", "phi-3"})
  void idsOfTheVocabularyPairsAreThoseOfLlamaCpp(String name) {
    assertPairs(gguf("tokenizers/ggml-vocab-" + name + ".gguf"), name);
  }

  @ParameterizedTest
  @CsvSource({"llama-bpe,llama3", "gpt-2,gpt2", "qwen2,qwen2_5"})
  void idsOfTokenizerJsonFoldersAreThoseOfLlamaCpp(String name, String folder) {
    assertPairs(folder("tokenizers/" + folder), name);
  }

  @ParameterizedTest
  @CsvSource({"llama-bpe,llama3", "qwen2,qwen2_5"})
  void aGgufVocabularyMadeOfATokenizerJsonGivesTheSameIds(String pre, String folder) {
    Path file = Fixtures.path("tokenizers/" + folder + "/tokenizer.json");
    Tokenizer tokenizer = Tokenizers.of(asVocabulary(file, pre));
    assertThat(tokenizer.addsBos()).isEqualTo(pre.equals("llama-bpe"));
    assertPairs(tokenizer, pre);
  }

  @Test
  void llama2TokenizerModelIsReadLikeTheGgufVocabulary() throws IOException {
    Files.copy(Fixtures.path("tokenizers/llama2-tokenizer.model"), temp.resolve("tokenizer.model"));
    Tokenizer tokenizer = Tokenizers.of(new TokenizerSource.Folder(temp));
    assertPairs(tokenizer, "llama-spm");
    assertThat(tokenizer.addsBos()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"json", "model", "stories260k-f32.gguf", "tinyllamas-stories-260k-f32.gguf"})
  void storiesTextsHaveTheRecordedIdsInEveryForm(String form) throws IOException {
    Tokenizer tokenizer =
        switch (form) {
          case "json" -> folder("models/stories260k");
          case "model" -> {
            for (String name : List.of("tokenizer.model", "tokenizer_config.json")) {
              Files.copy(Fixtures.path("models/stories260k/" + name), temp.resolve(name));
            }
            yield Tokenizers.of(new TokenizerSource.Folder(temp));
          }
          default -> gguf("models/stories260k/" + form);
        };
    assertThat(tokenizer.addsBos()).isTrue();
    assertThat(tokenizer.isStop(tokenizer.eos())).isTrue();
    for (JsonNode text : json("golden/models/stories260k/golden.json").path("texts")) {
      int[] expected = ints(text.path("ids"));
      int[] withoutBos = Arrays.copyOfRange(expected, 1, expected.length);
      String plain = text.path("text").stringValue();
      assertThat(tokenizer.encode(plain, false)).as(plain).isEqualTo(withoutBos);
      assertThat(tokenizer.decode(withoutBos, false)).isEqualTo(plain);
      assertThat(streamed(tokenizer, withoutBos)).isEqualTo(plain);
      assertThat(expected[0]).isEqualTo(tokenizer.bos());
    }
  }

  @Test
  void alteredMergesGiveOtherIdsAndAnotherFingerprint() throws IOException {
    Files.copy(
        Fixtures.path("bad/tinyllama-altered-merges.tokenizer.json"),
        temp.resolve("tokenizer.json"));
    Tokenizer altered = Tokenizers.of(new TokenizerSource.Folder(temp));
    Tokenizer sound = folder("tokenizers/tinyllama");
    // The altered file has spaces where the true one has no-break spaces.
    String text = "two\u00a0\u00a0no-break spaces";
    assertThat(altered.encode(text, false)).isNotEqualTo(sound.encode(text, false));
    assertThat(altered.fingerprint().orElseThrow().vocabularySha256())
        .isNotEqualTo(sound.fingerprint().orElseThrow().vocabularySha256());
  }

  @Test
  void anAnswerGoesOnWithoutADummySpace() {
    Tokenizer tokenizer = gguf("tokenizers/ggml-vocab-llama-spm.gguf");
    int[] whole = tokenizer.encode("Response:\nThe answer", false);
    int[] prompt = tokenizer.encode("Response:\n", false);
    int[] answer = tokenizer.encodeContinuation("The answer", false);
    assertThat(concat(prompt, answer)).isEqualTo(whole);
    assertThat(tokenizer.encode("The answer", false)).isNotEqualTo(answer);
    int[] beyondSpecial = tokenizer.encodeContinuation("The</s>answer", true);
    int[] tail = tokenizer.encode("</s>answer", true);
    assertThat(beyondSpecial).isEqualTo(concat(tokenizer.encodeContinuation("The", true), tail));
    assertThat(tokenizer.encodeContinuation("The</s>answer", false)).doesNotContain(2);
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void decodingGivesTheTextBack(long seed) {
    Random random = new Random(seed);
    for (Tokenizer tokenizer :
        List.of(
            gguf("golden/tokenizers/smollm2-vocab.gguf"),
            gguf("tokenizers/ggml-vocab-llama-spm.gguf"))) {
      for (int i = 0; i < 100; i++) {
        String text = RandomText.of(random, 1 + random.nextInt(60));
        int[] ids = tokenizer.encode(text, false);
        assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
        assertThat(streamed(tokenizer, ids)).isEqualTo(text);
      }
    }
  }

  private static void assertPairs(Tokenizer tokenizer, String name) {
    Pairs pairs = pairs(name);
    SoftAssertions softly = new SoftAssertions();
    for (int i = 0; i < pairs.texts().size(); i++) {
      String text = pairs.texts().get(i);
      softly
          .assertThat(tokenizer.encode(text, false))
          .as("<" + text + ">")
          .isEqualTo(pairs.ids().get(i));
    }
    softly.assertAll();
  }

  private static Pairs pairs(String name) {
    String inputs = text("tokenizers/ggml-vocab-" + name + ".gguf.inp");
    List<int[]> ids = new ArrayList<>();
    for (String line : text("tokenizers/ggml-vocab-" + name + ".gguf.out").split("\n", -1)) {
      ids.add(
          line.isBlank()
              ? new int[0]
              : Arrays.stream(line.trim().split(" ")).mapToInt(Integer::parseInt).toArray());
    }
    List<String> texts = List.of(inputs.split("\n__ggml_vocab_test__\n", -1));
    return new Pairs(texts, ids);
  }

  private record Pairs(List<String> texts, List<int[]> ids) {}

  private static TokenizerSource.Vocabulary asVocabulary(Path file, String pre) {
    JsonNode root = MAPPER.readTree(file.toFile());
    List<String> tokens = new ArrayList<>();
    root.path("model")
        .path("vocab")
        .properties()
        .forEach(e -> put(tokens, e.getValue().intValue(), e.getKey()));
    int ordinary = tokens.size();
    root.path("added_tokens")
        .forEach(t -> put(tokens, t.path("id").intValue(), t.path("content").stringValue()));
    int[] types = new int[tokens.size()];
    Arrays.fill(types, 0, ordinary, 1);
    Arrays.fill(types, ordinary, types.length, 3);
    List<String> merges = new ArrayList<>();
    root.path("model").path("merges").forEach(m -> merges.add(m.stringValue()));
    return new TokenizerSource.Vocabulary(
        file, "gpt2", pre, tokens, null, types, merges, 0, 1, -1, -1, -1, null, null, null, null);
  }

  private static void put(List<String> tokens, int id, String token) {
    while (tokens.size() <= id) {
      tokens.add("");
    }
    tokens.set(id, token);
  }

  private static String streamed(Tokenizer tokenizer, int[] ids) {
    TokenStream stream = new TokenStream(tokenizer, new int[0], true);
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(stream.next(id));
    }
    return text.append(stream.finish()).toString();
  }

  private static int[] concat(int[] a, int[] b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  private static Tokenizer gguf(String name) {
    return Tokenizers.of(GgufVocabularyFixture.read(Fixtures.path(name)));
  }

  private static Tokenizer folder(String name) {
    return Tokenizers.of(new TokenizerSource.Folder(Fixtures.path(name)));
  }

  private static String text(String name) {
    try {
      return Files.readString(Fixtures.path(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode json(String name) {
    return Fixtures.json(name);
  }

  private static int[] ints(JsonNode array) {
    int[] ints = new int[array.size()];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = array.path(i).intValue();
    }
    return ints;
  }
}
