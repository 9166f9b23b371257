package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.mola.cli.MolaProcess.Outcome;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each mistake ends with exit code 2 and one line that names what is wrong. */
class BadInputProcessTest {
  private static final int TYPE_Q2_K = 10;

  @TempDir static Path folder;

  @BeforeAll
  static void files() throws Exception {
    MolaProcess.assumePackaged();
    Path model = SmallModel.write(folder.resolve("model.gguf"), 1);
    SmallModel.write(folder.resolve("other.gguf"), 2);
    SmallModel.examples(folder.resolve("data.jsonl"), 8);
    write("text.gguf", "this is not a model\n");
    write("empty.jsonl", "");
    write("broken.jsonl", line("[3, 4]", "[-100, 4]") + "{\"input_ids\": [3,\n");
    write("unlabelled.jsonl", line("[3, 4]", "[-100, 4]") + line("[3, 4]", "[-100, -100]"));
    write("outside.jsonl", line("[3, 4]", "[-100, 4]") + line("[3, 99999]", "[-100, 4]"));
    write("unknown.yaml", "lora_r: 4\nlearning_rat: 1e-3\n");
    write("wrong.yaml", "lora_r: 4\nlearning_rate: fast\n");
    write("twice.yaml", "seed: 1\nseed: 2\n");
    write("second.yaml", "seed: 1\n---\nseed: 2\n");
    write("trailing.json", "[" + line("[3, 4]", "[-100, 4]").strip() + "]\n\nmore");
    write("file", "");
    cut(model, folder.resolve("cut.gguf"));
    rename(model, folder.resolve("mamba.gguf"));
    retype(model, folder.resolve("q2.gguf"));
    Outcome trained =
        finetune("--output-dir", at("adapter"), "--max-steps", "1", "--save-steps", "1");
    assertThat(trained.exitCode()).as(trained.text()).isZero();
    copyCheckpoints();
  }

  static Stream<Arguments> mistakes() {
    return Stream.of(
        finetuning("a missing model", "no such file", "--base-model", at("none.gguf")),
        finetuning("a text file as model", "text.gguf", "--base-model", at("text.gguf")),
        finetuning("a truncated model", "cut.gguf", "--base-model", at("cut.gguf")),
        finetuning("an unknown architecture", "mamba", "--base-model", at("mamba.gguf")),
        finetuning("an unsupported tensor type", "q2.gguf", "--base-model", at("q2.gguf")),
        finetuning("a layer list of the wrong length", "3 layers", "--num-experts", "2,2,2"),
        finetuning("top-k above N", "top_k", "--num-experts", "2", "--top-k", "3"),
        finetuning("rank 0", "lora_r", "--lora-r", "0"),
        finetuning("a learning rate that is no number", "--learning-rate", "--learning-rate", "x"),
        finetuning("a negative learning rate", "--learning-rate", "--learning-rate", "-1"),
        finetuning("a learning rate of NaN", "--learning-rate", "--learning-rate", "NaN"),
        finetuning("missing data", "none.jsonl", "--data-path", at("none.jsonl")),
        finetuning("empty data", "empty.jsonl", "--data-path", at("empty.jsonl")),
        finetuning("a malformed line", "broken.jsonl:2", "--data-path", at("broken.jsonl")),
        finetuning("no label", "unlabelled.jsonl:2", "--data-path", at("unlabelled.jsonl")),
        finetuning("an id outside", "outside.jsonl:2", "--data-path", at("outside.jsonl")),
        finetuning("too long examples", "data.jsonl:1", "--cutoff-len", "3"),
        finetuning("an unknown flag", "did you mean --learning-rate?", "--learning-rat", "1e-3"),
        finetuning("an unknown flag behind a switch", "unknown flag --zzz", "--overwrite", "--zzz"),
        finetuning("a word behind a switch", "unexpected argument extra", "--overwrite", "extra"),
        finetuning("a switch that is no truth", "true or false", "--overwrite=maybe", "--seed=1"),
        finetuning("a rate that only Java reads", "--learning-rate", "--learning-rate", "1d"),
        finetuning("passes beyond count", "--num-epochs", "--num-epochs", "2147483647"),
        finetuning(
            "a step beyond count",
            "--gradient-accumulation-steps",
            "--micro-batch-size",
            "100000",
            "--gradient-accumulation-steps",
            "100000"),
        finetuning("threads beyond count", "from 1 to 1024", "--threads", "1000000"),
        finetuning("no projection", "names no projection", "--lora-target-modules", ""),
        finetuning("a folder as data", "is a folder", "--data-path", at("adapter")),
        finetuning("text after an array", "trailing.json:3", "--data-path", at("trailing.json")),
        finetuning("two documents", "second.yaml:3", "--config", at("second.yaml")),
        using("a prompt beyond the context", "leaves no room", "--prompt", "ab ".repeat(9000)),
        finetuning("an unknown key", "unknown.yaml:2: unknown key", "--config", at("unknown.yaml")),
        finetuning("a wrong value in a file", "wrong.yaml:2", "--config", at("wrong.yaml")),
        finetuning("a key written twice", "twice.yaml:2", "--config", at("twice.yaml")),
        finetuning("two names that disagree", "disagree", "--lr", "1", "--learning-rate", "2"),
        finetuning("an ambiguous batch", "micro-batch-size", "--batch-size", "8"),
        finetuning("an indivisible batch", "3", "--batch-size", "8", "--micro-batch-size", "3"),
        finetuning("all data held back", "--val-set-size", "--val-set-size", "8"),
        finetuning("too little memory", "--max-memory", "--max-memory", "20M"),
        finetuning("an unknown backend", "no backend named", "--backend", "abacus"),
        finetuning("an unwritable output", "cannot be written", "--output-dir", at("file/out")),
        finetuning("a file as output", "is a file", "--output-dir", at("file")),
        finetuning("an existing adapter", "--overwrite", "--output-dir", at("adapter")),
        further("another number of experts", "--num-experts 2 contradicts", "--num-experts", "2"),
        further("another rank", "--lora-r 4 contradicts the adapter", "--lora-r", "4"),
        further("another top-k", "--top-k 1 contradicts the adapter", "--top-k", "1"),
        further("another alpha", "--lora-alpha 3.0 contradicts", "--lora-alpha", "3"),
        further("other projections", "q_proj contradicts", "--lora-target-modules", "q_proj"),
        further("an adapter and another base", "fingerprint", "--base-model", at("other.gguf")),
        further("no adapter", "no such file or folder", "--adapter", at("none")),
        resuming("no checkpoint", "holds no checkpoint", "latest"),
        resuming("a missing checkpoint", "no such folder", at("none")),
        resuming("an adapter as checkpoint", "training_state.json: is missing", at("adapter")),
        resuming("a damaged checkpoint", "optimizer.safetensors: SHA-256 is", at("damaged")),
        resuming(
            "another seed",
            "made with seed 42, but now it is 7",
            at("adapter/checkpoint-1"),
            "--max-steps",
            "1",
            "--seed",
            "7"),
        resuming(
            "another run",
            "made with steps (max_steps, num_epochs) 1, but now",
            at("adapter/checkpoint-1")),
        finetuning(
            "checkpoints of another run",
            "checkpoint-1: a checkpoint of an earlier run",
            "--output-dir",
            at("left"),
            "--save-steps",
            "1"),
        finetuning("a limit for nothing", "--save-steps", "--save-total-limit", "2"),
        using("an adapter of another base", "fingerprint", "--base-model", at("other.gguf")),
        using("a missing adapter", "none", "--adapter", at("none")),
        argumentSet("an unknown command", "did you mean finetune?", List.of("fintune")),
        argumentSet("no recorded cases", "no such folder", List.of("verify", "--golden", at("no"))),
        argumentSet("nothing to inspect", "no such file", List.of("inspect", at("none"))));
  }

  @ParameterizedTest
  @MethodSource("mistakes")
  void endsWithOneLineThatNamesIt(String named, List<String> command) throws Exception {
    Outcome outcome = MolaProcess.run(folder, command.toArray(String[]::new));

    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(2);
    assertThat(outcome.text().lines().filter(line -> line.startsWith("mola: ")))
        .as(outcome.text())
        .singleElement()
        .asString()
        .contains(named);
    assertThat(outcome.text()).doesNotContain("\tat ", "internal error");
  }

  /** The valid command with some options replaced or added. */
  private static Arguments finetuning(String mistake, String named, String... options) {
    return argumentSet(mistake, named, finetuneCommand(options));
  }

  /** The same from the adapter. */
  private static Arguments further(String mistake, String named, String... options) {
    List<String> command = finetuneCommand("--adapter", at("adapter"));
    return argumentSet(mistake, named, replaced(command, options));
  }

  /** The same from a checkpoint. */
  private static Arguments resuming(
      String mistake, String named, String checkpoint, String... options) {
    List<String> command = finetuneCommand("--resume-from-checkpoint", checkpoint);
    return argumentSet(mistake, named, replaced(command, options));
  }

  private static Arguments using(String mistake, String named, String... options) {
    List<String> command =
        replaced(
            List.of(
                "generate",
                "--base-model",
                at("model.gguf"),
                "--adapter",
                at("adapter"),
                "--prompt",
                "ab"),
            options);
    return argumentSet(mistake, named, command);
  }

  private static Outcome finetune(String... options) throws Exception {
    return MolaProcess.run(folder, finetuneCommand(options).toArray(String[]::new));
  }

  private static List<String> finetuneCommand(String... options) {
    return replaced(
        List.of(
            "finetune",
            "--base-model",
            at("model.gguf"),
            "--data-path",
            at("data.jsonl"),
            "--output-dir",
            at("out")),
        options);
  }

  private static List<String> replaced(List<String> command, String... options) {
    List<String> result = new ArrayList<>(command);
    for (int i = 0; i < options.length; i += 2) {
      int at = result.indexOf(options[i]);
      if (at >= 0) {
        result.set(at + 1, options[i + 1]);
      } else {
        result.addAll(List.of(options[i], options[i + 1]));
      }
    }
    return result;
  }

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  private static String line(String ids, String labels) {
    return "{\"input_ids\": " + ids + ", \"labels\": " + labels + "}\n";
  }

  private static void write(String name, String text) throws IOException {
    Files.writeString(folder.resolve(name), text);
  }

  /** One copy with a changed byte, one alone in a folder. */
  private static void copyCheckpoints() throws IOException {
    Path damaged = Files.createDirectory(folder.resolve("damaged"));
    Path left = Files.createDirectories(folder.resolve("left/checkpoint-1"));
    try (Stream<Path> files = Files.list(folder.resolve("adapter/checkpoint-1"))) {
      for (Path file : files.toList()) {
        Files.copy(file, damaged.resolve(file.getFileName()));
        Files.copy(file, left.resolve(file.getFileName()));
      }
    }
    Path moments = damaged.resolve("optimizer.safetensors");
    byte[] bytes = Files.readAllBytes(moments);
    bytes[bytes.length / 2] ^= 1;
    Files.write(moments, bytes);
  }

  private static void cut(Path model, Path to) throws IOException {
    Files.copy(model, to, StandardCopyOption.REPLACE_EXISTING);
    try (RandomAccessFile file = new RandomAccessFile(to.toFile(), "rw")) {
      file.setLength(file.length() - 1000);
    }
  }

  /** general.architecture: llama becomes mamba, a word of the same length. */
  private static void rename(Path model, Path to) throws IOException {
    byte[] bytes = Files.readAllBytes(model);
    int at =
        indexOf(bytes, "general.architecture".getBytes(java.nio.charset.StandardCharsets.US_ASCII))
            + "general.architecture".length();
    int value =
        at
            + indexOf(
                java.util.Arrays.copyOfRange(bytes, at, at + 40),
                "llama".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    System.arraycopy(
        "mamba".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, bytes, value, 5);
    Files.write(to, bytes);
  }

  /** The first matrix gets the type number of Q2_K. */
  private static void retype(Path model, Path to) throws IOException {
    byte[] bytes = Files.readAllBytes(model);
    byte[] name = "blk.0.attn_q.weight".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    // after the name: dimension count (4 bytes), two dimensions (8 bytes each), type
    bytes[indexOf(bytes, name) + name.length + 4 + 16] = TYPE_Q2_K;
    Files.write(to, bytes);
  }

  private static int indexOf(byte[] bytes, byte[] part) {
    for (int i = 0; i + part.length <= bytes.length; i++) {
      if (java.util.Arrays.equals(bytes, i, i + part.length, part, 0, part.length)) {
        return i;
      }
    }
    throw new IllegalStateException(
        "not found: " + new String(part, java.nio.charset.StandardCharsets.US_ASCII));
  }
}
