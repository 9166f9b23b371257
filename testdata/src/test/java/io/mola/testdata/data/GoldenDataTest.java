package io.mola.testdata.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.data.DataOptions;
import io.mola.core.data.DataSet;
import io.mola.core.data.Datasets;
import io.mola.core.data.Example;
import io.mola.core.data.ExcessLength;
import io.mola.core.data.PromptStyle;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.tokenizer.Tokenizers;
import io.mola.core.weights.TokenizerSource;
import io.mola.testdata.Fixtures;
import io.mola.testdata.tokenizer.GgufVocabularyFixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Data sets through real tokenizers. */
class GoldenDataTest {
  private static final JsonMapper MAPPER = JsonMapper.shared();

  @TempDir Path temp;

  @Test
  void commonsenseQaInAlpacaFormHasTheRecordedTokensAndLabels() throws IOException {
    Tokenizer tokenizer = smollm2();
    Path recorded = Fixtures.path("data/commonsenseqa/csqa512.smollm2-tokens.jsonl");
    DataSet expected = Datasets.read(recorded, tokenizer, DataOptions.DEFAULT);
    assertThat(expected.examples()).hasSize(512);
    assertThat(expected.tokens()).isEqualTo(42_178);
    assertThat(expected.longest()).isEqualTo(116);
    assertThat(expected.targets()).isEqualTo(4_096);

    Path file = temp.resolve("csqa.jsonl");
    StringBuilder lines = new StringBuilder();
    for (Example example : expected.examples()) {
      lines.append(asAlpaca(tokenizer, example)).append('\n');
    }
    Files.writeString(file, lines);
    DataOptions alpaca = new DataOptions(PromptStyle.ALPACA, false, 0, ExcessLength.RAISE);
    DataSet made = Datasets.read(file, tokenizer, alpaca);
    assertThat(made.examples()).hasSize(512);
    for (int i = 0; i < 512; i++) {
      assertThat(made.examples().get(i).tokens()).isEqualTo(expected.examples().get(i).tokens());
      assertThat(made.examples().get(i).labels()).isEqualTo(expected.examples().get(i).labels());
    }
  }

  @Test
  void smollm2ConversationsHaveTheTokensOfTheRenderedText() throws IOException {
    Tokenizer tokenizer = smollm2();
    Path file =
        Files.writeString(
            temp.resolve("chat.jsonl"),
            """
            {"messages":[{"role":"user","content":"Hi!"},{"role":"assistant","content":"Hello."},\
            {"role":"user","content":"Bye"},{"role":"assistant","content":"Bye, 3 times."}]}
            """);
    Example example = Datasets.read(file, tokenizer, DataOptions.DEFAULT).examples().getFirst();
    String text = tokenizer.decode(example.tokens(), true);
    assertThat(text).startsWith("<|im_start|>system\nYou are").endsWith("Bye, 3 times.<|im_end|>");
    assertThat(example.tokens()).isEqualTo(tokenizer.encode(text, true));
    assertThat(tokenizer.decode(learnt(example), true))
        .isEqualTo("Hello.<|im_end|>Bye, 3 times.<|im_end|>");
  }

  @Test
  void aSentencePieceAnswerHasNoDummySpace() throws IOException {
    Tokenizer tokenizer =
        Tokenizers.of(
            GgufVocabularyFixture.read(Fixtures.path("tokenizers/ggml-vocab-llama-spm.gguf")));
    Path file =
        Files.writeString(
            temp.resolve("a.jsonl"), "{\"instruction\":\"Say it.\",\"output\":\"Yes, now.\"}");
    Example example = Datasets.read(file, tokenizer, DataOptions.DEFAULT).examples().getFirst();
    String text = tokenizer.decode(Arrays.copyOf(example.tokens(), example.length() - 1), false);
    assertThat(text).endsWith("### Response:\nYes, now.");
    assertThat(example.tokens()[0]).isEqualTo(tokenizer.bos());
    assertThat(example.tokens()[example.length() - 1]).isEqualTo(tokenizer.eos());
    int[] answer = learnt(example);
    assertThat(tokenizer.piece(answer[0])).isEqualTo("Yes");
  }

  @Test
  void tinyLlamaConversationsEndEachAnswerWithItsEndToken() throws IOException {
    Tokenizer tokenizer =
        Tokenizers.of(new TokenizerSource.Folder(Fixtures.path("tokenizers/tinyllama")));
    Path file =
        Files.writeString(
            temp.resolve("chat.jsonl"),
            """
            {"messages":[{"role":"user","content":"Hi!"},{"role":"assistant","content":"Hello."},\
            {"role":"user","content":"Bye"},{"role":"assistant","content":"Bye."}]}
            """);
    Example example = Datasets.read(file, tokenizer, DataOptions.DEFAULT).examples().getFirst();
    long ends = IntStream.of(learnt(example)).filter(id -> id == tokenizer.eos()).count();
    assertThat(ends).isEqualTo(2);
    assertThat(tokenizer.decode(example.tokens(), true))
        .isEqualTo(
            "<s> <|user|>\nHi!</s>\n<|assistant|>\nHello.</s>\n<|user|>\nBye</s>\n"
                + "<|assistant|>\nBye.</s>");
  }

  private static ObjectNode asAlpaca(Tokenizer tokenizer, Example example) {
    String text = tokenizer.decode(example.tokens(), false);
    int instruction = text.indexOf("### Instruction:\n") + 17;
    int response = text.lastIndexOf("\n\n### Response:\n");
    return MAPPER
        .createObjectNode()
        .put("instruction", text.substring(instruction, response))
        .put("output", text.substring(response + 16));
  }

  private static int[] learnt(Example example) {
    return IntStream.of(example.labels()).filter(id -> id != Example.IGNORE).toArray();
  }

  private static Tokenizer smollm2() {
    return Tokenizers.of(
        GgufVocabularyFixture.read(Fixtures.path("golden/tokenizers/smollm2-vocab.gguf")));
  }
}
