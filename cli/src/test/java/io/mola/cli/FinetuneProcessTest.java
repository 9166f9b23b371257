package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.cli.MolaProcess.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Fine-tuning as a process: what it reports, and what an interruption or a full disk leaves. */
class FinetuneProcessTest {
  private static final String MANY_EPOCHS = "20000";

  /** Losses of float32 sums in another order, before and after six updates. */
  private static final Offset<Double> ROUNDING = Offset.offset(1e-4);

  @TempDir static Path folder;

  private static Path model;
  private static Path data;

  @BeforeAll
  static void files() throws IOException {
    MolaProcess.assumePackaged();
    model = SmallModel.write(folder.resolve("model.gguf"), 1);
    data = SmallModel.examples(folder.resolve("data.jsonl"), 40);
  }

  @Test
  void printsOneJsonObjectWithTheFiguresOfTheRun() throws Exception {
    Outcome outcome =
        run(folder.resolve("json"), "--json", "--num-epochs", "1", "--val-set-size", "8");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer().lines()).hasSize(1);
    JsonNode answer = JsonMapper.shared().readTree(outcome.answer());
    assertThat(answer.get("steps").intValue()).isEqualTo(8);
    assertThat(answer.get("train_losses").size()).isEqualTo(8);
    assertThat(answer.get("train_loss")).isEqualTo(answer.get("train_losses").get(7));
    assertThat(answer.get("eval_loss").doubleValue()).isPositive();
    assertThat(answer.get("tokens").intValue()).isEqualTo(8 * 4 * 4);
    assertThat(answer.get("tokens_per_second").doubleValue()).isPositive();
    assertThat(answer.get("planned_bytes").longValue()).isPositive();
    assertThat(answer.get("trainable_parameters").longValue()).isPositive();
    assertThat(answer.get("adapter_sha256").stringValue()).hasSize(64);
  }

  @Test
  void aProfileAddsUpToTheStepAndChangesNoByte() throws Exception {
    Path out = folder.resolve("profiled");
    Outcome outcome = run(out, "--json", "--max-steps", "3", "--profile");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.text()).contains("adapters.backward").contains("other");
    JsonNode profile = JsonMapper.shared().readTree(outcome.answer()).get("profile");
    double sum = 0;
    for (JsonNode operation : profile.get("operations")) {
      sum += operation.get("seconds_per_step").doubleValue();
    }
    double step = profile.get("seconds_per_step").doubleValue();
    assertThat(sum).isCloseTo(step, Offset.offset(1e-9));
    Path plain = folder.resolve("not-profiled");
    run(plain, "--max-steps", "3");
    assertThat(tensors(out)).hasSameBinaryContentAs(tensors(plain));
  }

  @Test
  void givesTheSameBytesForTheSameSeedAndAnyNumberOfThreads() throws Exception {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    Path other = folder.resolve("other-seed");
    run(one, "--max-steps", "6", "--threads", "1");
    run(two, "--max-steps", "6", "--threads", "2");
    run(other, "--max-steps", "6", "--seed", "7");

    assertThat(tensors(one)).hasSameBinaryContentAs(tensors(two));
    assertThat(Files.mismatch(tensors(one), tensors(other))).isNotNegative();
  }

  @Test
  void aFileOfSettingsGivesTheSameRunAsFlagsAndFlagsWin() throws Exception {
    Path yaml = folder.resolve("run.yaml");
    Files.writeString(yaml, "num_experts: [2, 4]\nlora_r: 4\nmax_steps: 9\nlr: 1e-3\n");
    Path flags = folder.resolve("flags");
    Path file = folder.resolve("file");
    run(flags, "--num-experts=2,4", "--lora-r=4", "--max-steps=3", "--learning-rate=1e-3");
    run(file, "--config", yaml.toString(), "--max-steps=3");

    assertThat(tensors(file)).hasSameBinaryContentAs(tensors(flags));
  }

  /** Without dropout sharing changes rounding alone. */
  @Test
  void aSharedBeginningChangesOnlyTimeAndMemory() throws Exception {
    Path alike = SmallModel.examples(folder.resolve("alike.jsonl"), 40, 13);
    Path yaml = Files.writeString(folder.resolve("apart.yaml"), "share_prefix: false\n");
    String[] options = {
      "--json",
      "--data-path=" + alike,
      "--lora-dropout=0",
      "--router-aux-loss-coef=0.1",
      "--max-steps=6",
      "--val-set-size=8"
    };
    JsonNode shared = answer(folder.resolve("shared"), options);
    JsonNode apart = answer(folder.resolve("apart"), with(options, "--no-share-prefix"));
    JsonNode alsoApart = answer(folder.resolve("also"), with(options, "--config=" + yaml));

    assertThat(alsoApart.get("adapter_sha256")).isEqualTo(apart.get("adapter_sha256"));
    assertThat(shared.get("tokens")).isEqualTo(apart.get("tokens"));
    assertThat(shared.get("planned_bytes").longValue())
        .isLessThan(apart.get("planned_bytes").longValue());
    for (int step = 0; step < 6; step++) {
      assertThat(shared.get("train_losses").get(step).doubleValue())
          .isCloseTo(apart.get("train_losses").get(step).doubleValue(), ROUNDING);
    }
    assertThat(shared.get("eval_loss").doubleValue())
        .isCloseTo(apart.get("eval_loss").doubleValue(), ROUNDING);
  }

  private static JsonNode answer(Path out, String... options) throws Exception {
    Outcome outcome = run(out, options);
    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    return JsonMapper.shared().readTree(outcome.answer());
  }

  private static String[] with(String[] options, String another) {
    return Stream.concat(Stream.of(options), Stream.of(another)).toArray(String[]::new);
  }

  @Test
  void anInterruptedRunStopsAfterTheStepAndLeavesAWholeAdapter() throws Exception {
    Path out = folder.resolve("interrupted");
    MolaProcess mola = MolaProcess.start(folder, command(out, "--num-epochs", MANY_EPOCHS));
    awaitFirstStep(mola);
    signal("INT", mola);
    Outcome outcome = mola.outcome();

    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(130);
    assertThat(outcome.answer()).doesNotContain("next:");
    assertThat(temporaryFiles(out)).isEmpty();
    assertThat(generate(out).exitCode()).isZero();
  }

  @Test
  void aKilledRunLeavesNoAdapter() throws Exception {
    Path out = folder.resolve("killed");
    MolaProcess mola = MolaProcess.start(folder, command(out, "--num-epochs", MANY_EPOCHS));
    awaitFirstStep(mola);
    mola.process().destroyForcibly();

    assertThat(mola.outcome().exitCode()).isEqualTo(137);
    assertThat(generate(out).exitCode()).isEqualTo(2);
  }

  @Test
  void anExistingAdapterIsReplacedOnlyIfAskedFor() throws Exception {
    Path out = folder.resolve("existing");
    run(out, "--max-steps", "1");
    byte[] first = Files.readAllBytes(tensors(out));
    Outcome refused = run(out, "--max-steps", "2");
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(Files.readAllBytes(tensors(out))).isEqualTo(first);

    Outcome replaced = run(out, "--max-steps", "2", "--overwrite");
    assertThat(replaced.exitCode()).as(replaced.text()).isZero();
    assertThat(Files.readAllBytes(tensors(out))).isNotEqualTo(first);
  }

  @ParameterizedTest
  @ValueSource(strings = {"40k", "200k"})
  void aFullDiskIsAFailureThatLeavesNoAdapter(String size) throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk" + size));
    boolean mounted =
        shell("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", disk.toString()) == 0;
    Assumptions.assumeTrue(mounted, "a small tmpfs cannot be mounted here");
    try {
      Path out = disk.resolve("adapter");
      Outcome outcome = run(out, "--max-steps", "1", "--lora-r", "32");

      assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(1);
      assertThat(outcome.text().lines().filter(line -> line.startsWith("mola: "))).hasSize(1);
      assertThat(outcome.text()).doesNotContain("\tat ");
      assertThat(temporaryFiles(out)).isEmpty();
      assertThat(tensors(out)).doesNotExist();
    } finally {
      assertThat(shell("umount", disk.toString())).isZero();
    }
  }

  private static Outcome run(Path out, String... options) throws Exception {
    return MolaProcess.start(folder, command(out, options)).outcome();
  }

  private static List<String> command(Path out, String... options) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "finetune",
                "--base-model=" + model,
                "--output-dir=" + out,
                "--batch-size=4",
                "--micro-batch-size=2"));
    command.addAll(List.of(options));
    if (command.stream().noneMatch(option -> option.startsWith("--data-path"))) {
      command.add("--data-path=" + data);
    }
    return command;
  }

  private static Outcome generate(Path adapter) throws Exception {
    return MolaProcess.run(
        folder,
        "generate",
        "--base-model=" + model,
        "--adapter=" + adapter,
        "--prompt=ab",
        "--prompt-style=raw",
        "--max-new-tokens=4");
  }

  private static void awaitFirstStep(MolaProcess mola) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!mola.textSoFar().contains("step 1/")) {
      assertThat(mola.process().isAlive()).as(mola.textSoFar()).isTrue();
      assertThat(System.nanoTime()).as("two minutes without a step").isLessThan(deadline);
      Thread.sleep(50);
    }
  }

  private static void signal(String name, MolaProcess mola) throws Exception {
    assertThat(shell("kill", "-" + name, Long.toString(mola.process().pid()))).isZero();
  }

  private static int shell(String... command) throws Exception {
    return new ProcessBuilder(command).inheritIO().start().waitFor();
  }

  private static Path tensors(Path adapter) {
    return adapter.resolve("adapter_model.safetensors");
  }

  private static List<Path> temporaryFiles(Path out) throws IOException {
    try (Stream<Path> files = Files.list(out)) {
      return files.filter(file -> !file.getFileName().toString().startsWith("adapter_")).toList();
    }
  }
}
