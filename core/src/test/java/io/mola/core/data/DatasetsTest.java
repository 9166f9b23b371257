package io.mola.core.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DatasetsTest {
  private static final String CHATML =
      "{% for message in messages %}[{{ message['role'] }}]{{ message['content'] }}<|end|>\n"
          + "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
  private static final Tokenizer PLAIN = new WordTokenizer(false);

  @TempDir Path temp;

  @Test
  void theAlpacaTemplateIsTheAuthors() throws Exception {
    String prompt = AlpacaTemplate.prompt("{instruction}", "");
    assertThat(sha256(prompt))
        .isEqualTo("7768da83ee0feb389c3bbcac0841599b1f953ff9ee5c448ec02fc560d762893f");
    assertThat(sha256(prompt.substring(0, 124)))
        .isEqualTo("7ac22b2ffa8b073d7d7e196d028d5d26fe61f36f96c70231a6a6c95f6b260491");
  }

  @Test
  void alpacaLearnsTheOutputAndTheEndToken() {
    DataSet data = read("{\"instruction\":\"Add.\",\"output\":\"Three\"}\n", PLAIN);
    Example example = data.examples().getFirst();
    assertThat(learnt(example)).isEqualTo("Three</s>");
    assertThat(text(example)).endsWith("### Instruction:\nAdd.\n\n### Response:\nThree</s>");
    assertThat(example.origin()).endsWith("data:1");
  }

  @Test
  void alpacaWithInputUsesTheOtherTemplate() {
    String line = "{\"instruction\":\"Add.\",\"input\":\"1 2\",\"output\":\"3\"}";
    assertThat(text(read(line, PLAIN).examples().getFirst()))
        .contains("paired with an input")
        .contains("\n\n### Input:\n1 2\n\n### Response:\n3</s>");
  }

  @Test
  void alpacaArraysGiveTheSameAsLines() {
    String a = "{\"instruction\":\"a\",\"output\":\"b\"}";
    String b = "{\"instruction\":\"c\",\n\"output\":\"d\"}";
    DataSet array = read("[" + a + ",\n" + b + "]", PLAIN);
    DataSet lines = read(a + "\n\n" + b.replace("\n", "") + "\n", PLAIN);
    assertThat(array.examples()).hasSize(2);
    assertThat(array.examples().get(1).tokens()).isEqualTo(lines.examples().get(1).tokens());
    assertThat(array.examples().get(1).origin()).endsWith(":2");
    assertThat(lines.examples().get(1).origin()).endsWith(":3");
  }

  @Test
  void nothingMayFollowAnArray() {
    String a = "{\"instruction\":\"a\",\"output\":\"b\"}";
    assertThatThrownBy(() -> read("[" + a + "]\n" + a, PLAIN))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data:2: something follows the array");
  }

  @Test
  void modelsWithAChatTemplateGetAlpacaRecordsThroughIt() {
    Tokenizer chat = new WordTokenizer(false, CHATML);
    String line = "{\"instruction\":\"Hi\",\"output\":\"Yo\"}";
    Example example = read(line, chat).examples().getFirst();
    assertThat(text(example)).isEqualTo("[user]Hi<|end|>\n[assistant]Yo<|end|>");
    assertThat(learnt(example)).isEqualTo("Yo<|end|>");
    DataOptions alpaca = new DataOptions(PromptStyle.ALPACA, false, 0, ExcessLength.RAISE);
    assertThat(text(read(line, chat, alpaca).examples().getFirst())).startsWith("Below is");
  }

  @Test
  void everyAssistantTurnIsLearntWithItsEndOfTurn() {
    Example example =
        read(
                messages("user", "Q", "assistant", "A", "user", "R", "assistant", "B"),
                new WordTokenizer(false, CHATML))
            .examples()
            .getFirst();
    assertThat(text(example))
        .isEqualTo("[user]Q<|end|>\n[assistant]A<|end|>\n[user]R<|end|>\n[assistant]B<|end|>");
    assertThat(learnt(example)).isEqualTo("A<|end|>B<|end|>");
  }

  @Test
  void specialTokensInAnAnswerAreOrdinaryText() {
    Example example =
        read(messages("user", "Q", "assistant", "x<|end|>y"), new WordTokenizer(false, CHATML))
            .examples()
            .getFirst();
    assertThat(learnt(example)).isEqualTo("x<|end|>y<|end|>");
    long stops = IntStream.of(example.labels()).filter(id -> id == 3).count();
    assertThat(stops).isEqualTo(1);
  }

  @Test
  void templatesThatWriteMoreAtTheEndOfAConversationAreUnderstood() {
    String always = CHATML.replace("{% if add_generation_prompt %}", "").replace("{% endif %}", "");
    Example example =
        read(
                messages("user", "Q", "assistant", " A ", "user", "R", "assistant", "B"),
                new WordTokenizer(false, always.replace("['content']", "['content'] | trim")))
            .examples()
            .getFirst();
    assertThat(learnt(example)).isEqualTo("A<|end|>B<|end|>");
    assertThat(text(example)).endsWith("[assistant]B<|end|>");
  }

  @Test
  void aTemplateWithoutEndOfTurnGetsTheEndTokenBehindTheLastAnswer() {
    Example example =
        read(
                messages("user", "Q", "assistant", "A", "user", "R", "assistant", "B"),
                new WordTokenizer(false, CHATML.replace("<|end|>", "")))
            .examples()
            .getFirst();
    assertThat(learnt(example)).isEqualTo("AB</s>");
  }

  @Test
  void aTemplateThatRewritesEarlierTurnsIsRefusedWithThePlace() {
    String cuts =
        "{% for message in messages %}[{{ message['role'] }}]"
            + "{% if loop.last %}{{ message['content'] }}{% endif %}<|end|>\n{% endfor %}"
            + "{% if add_generation_prompt %}[assistant]{% endif %}";
    assertThatThrownBy(
            () -> read(messages("user", "Q", "assistant", "A"), new WordTokenizer(false, cuts)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data:1: the chat template renders what comes before message 2");
  }

  @Test
  void theBeginTokenIsPutFirstOnce() {
    String line = messages("user", "Q", "assistant", "A");
    Example added = read(line, new WordTokenizer(true, CHATML)).examples().getFirst();
    Example written =
        read(line, new WordTokenizer(true, "{{ bos_token }}" + CHATML)).examples().getFirst();
    assertThat(added.tokens()).isEqualTo(written.tokens()).startsWith(1, '[');
    assertThat(
            read("{\"prompt\":\"p\",\"completion\":\"c\"}", new WordTokenizer(true))
                .examples()
                .getFirst()
                .tokens())
        .containsExactly(1, 'p', 'c', 2);
  }

  @Test
  void promptsAreTargetsWhenAskedFor() {
    DataOptions all = new DataOptions(PromptStyle.AUTO, true, 0, ExcessLength.RAISE);
    Example example =
        read("{\"prompt\":\"pq\",\"completion\":\"c\"}", PLAIN, all).examples().getFirst();
    assertThat(example.labels()).containsExactly('p', 'q', 'c', 2);
  }

  @Test
  void tokensMadeElsewhereAreTakenAsTheyAre() {
    Example example =
        read("{\"input_ids\":[5,6,7],\"labels\":[-100,6,7]}", PLAIN).examples().getFirst();
    assertThat(example.tokens()).containsExactly(5, 6, 7);
    assertThat(example.labels()).containsExactly(-100, 6, 7);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "{\"instruction\":\"a\",\"output\":\"b\"}NL{\"instruction\":~:2: not valid JSON",
        "{\"instruction\":\"a\",\"output\":\"b\"}NL{\"instruction\":\"a\"}~:2: expected the keys",
        "{\"instruction\":\"a\",\"output\":7}~:1: key output must be a string",
        "{\"question\":\"a\"}~:1: unknown kind of record",
        "[1]~:1: must be a JSON object",
        "7~:1: must be a JSON object",
        "{\"input_ids\":[5,256],\"labels\":[5,6]}~:1: token id 256 is outside the vocabulary",
        "{\"input_ids\":[5,-1],\"labels\":[5,6]}~:1: token id -1 is outside",
        "{\"input_ids\":[5,6],\"labels\":[5,-7]}~:1: token id -7 is outside",
        "{\"input_ids\":[5,6],\"labels\":[5]}~:1: 2 input_ids but 1 labels",
        "{\"input_ids\":[5,6.5],\"labels\":[5,6]}~:1: key input_ids must be an array of whole",
        "{\"input_ids\":[5,6],\"labels\":[-100,-100]}~:1: no token of this example is a target",
        "{\"messages\":[]}~:1: key messages must be an array with at least one element",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}~:1:",
        "''~: no example in it",
        "[{\"instruction\":\"a\",\"output\":\"b\"},NL{\"instruction\":\"a\",}]~:2: not valid JSON",
        "{\"instruction\":\"a\",\"instruction\":\"a\",\"output\":\"b\"}~:1: not valid JSON",
      })
  void faultsAreNamedWithFileAndLine(String content, String fault) {
    assertThatThrownBy(() -> read(content.replace("NL", "\n"), PLAIN))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data" + fault)
        .message()
        .doesNotContain("\n");
  }

  @Test
  void aLineThatIsNotUtf8IsNamed() throws IOException {
    byte[] bytes =
        "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"\u00e9\",\"completion\":\"b\"}\n"
            .getBytes(StandardCharsets.ISO_8859_1);
    Path file = Files.write(temp.resolve("latin"), bytes);
    assertThatThrownBy(() -> Datasets.read(file, PLAIN, DataOptions.DEFAULT))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("latin:2: is not valid UTF-8");
  }

  @Test
  void aByteOrderMarkIsNoPartOfTheData() {
    assertThat(read("\uFEFF{\"prompt\":\"a\",\"completion\":\"b\"}", PLAIN).examples()).hasSize(1);
    assertThat(read("\uFEFF[{\"prompt\":\"a\",\"completion\":\"b\"}]", PLAIN).examples())
        .hasSize(1);
  }

  @Test
  void overlongExamplesAreNamedLeftOutOrCut() {
    String data =
        "{\"prompt\":\"p\",\"completion\":\"c\"}\n"
            + "{\"prompt\":\"p\",\"completion\":\"cdefg\"}\n"
            + "{\"prompt\":\"pqrst\",\"completion\":\"c\"}\n";
    assertThatThrownBy(() -> read(data, PLAIN, cutoff(ExcessLength.RAISE)))
        .hasMessageContaining("2 examples are longer than --cutoff-len 4")
        .hasMessageContaining("data:2 (7 tokens)");
    DataSet dropped = read(data, PLAIN, cutoff(ExcessLength.DROP));
    assertThat(dropped.examples()).hasSize(1);
    assertThat(dropped.dropped()).hasSize(2);
    DataSet cut = read(data, PLAIN, cutoff(ExcessLength.TRUNCATE));
    assertThat(cut.examples()).hasSize(2);
    assertThat(cut.longest()).isEqualTo(4);
    assertThat(cut.truncated()).singleElement().asString().contains("data:2");
    assertThat(cut.dropped()).singleElement().asString().contains("data:3").contains("no target");
  }

  private static DataOptions cutoff(ExcessLength excess) {
    return new DataOptions(PromptStyle.AUTO, false, 4, excess);
  }

  private DataSet read(String content, Tokenizer tokenizer) {
    return read(content, tokenizer, DataOptions.DEFAULT);
  }

  private DataSet read(String content, Tokenizer tokenizer, DataOptions options) {
    try {
      return Datasets.read(Files.writeString(temp.resolve("data"), content), tokenizer, options);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String messages(String... rolesAndContents) {
    return IntStream.range(0, rolesAndContents.length / 2)
        .mapToObj(i ->
            "{\"role\":\"%s\",\"content\":\"%s\"}"
                .formatted(rolesAndContents[2 * i], rolesAndContents[2 * i + 1]))
        .collect(Collectors.joining(",", "{\"messages\":[", "]}"));
  }

  private static String text(Example example) {
    return PLAIN.decode(example.tokens(), true);
  }

  private static String learnt(Example example) {
    return PLAIN.decode(
        IntStream.of(example.labels()).filter(id -> id != Example.IGNORE).toArray(), true);
  }

  private static String sha256(String text) throws Exception {
    return HexFormat.of()
        .formatHex(
            MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
  }
}
