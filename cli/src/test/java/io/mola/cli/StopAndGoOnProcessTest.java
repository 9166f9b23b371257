package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.cli.MolaProcess.Outcome;
import io.mola.core.train.Checkpoint;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs that are stopped, killed or continued, as processes. */
class StopAndGoOnProcessTest {
  private static final Pattern STEP = Pattern.compile("^step \\d+/", Pattern.MULTILINE);
  private static final int TRIES = 5;

  /** What a keyboard sends for Ctrl-C. */
  private static final int CTRL_C = 3;

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
  void aResumedRunHasTheBytesOfTheUninterruptedOneForAnyNumberOfThreads() throws Exception {
    Path whole = folder.resolve("whole");
    Path resumed = folder.resolve("resumed");
    String[] steps = {"--max-steps=25", "--warmup-steps=5", "--lora-dropout=0.2"};
    run(whole, with(steps, "--threads=1", "--save-steps=7"));
    Outcome outcome =
        run(
            resumed,
            with(
                steps,
                "--json",
                "--threads=2",
                "--resume-from-checkpoint=" + whole.resolve("checkpoint-7")));

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer()).contains("\"steps\":18,\"resumed_step\":7,");
    assertThat(tensors(resumed)).hasSameBinaryContentAs(tensors(whole));
  }

  @ParameterizedTest
  @ValueSource(strings = {"INT", "TERM"})
  void theCommandThatAnInterruptionNamesEndsTheRunAsIfItHadNotStopped(String signal)
      throws Exception {
    Path out = folder.resolve("interrupted by " + signal);
    Path whole = folder.resolve("not interrupted");
    String[] steps = {"--max-steps=3000", "--num-epochs=1000"};
    MolaProcess mola = MolaProcess.start(folder, command(out, with(steps, "--save-steps=2000")));
    awaitStep(mola);
    signal(signal, mola);
    Outcome stopped = mola.outcome();

    assertThat(stopped.exitCode()).as(stopped.text()).isEqualTo(130);
    assertThat(tensors(out)).doesNotExist();
    assertThat(names(out)).singleElement().asString().startsWith("checkpoint-");
    String next =
        stopped.answer().lines().filter(line -> line.startsWith("go on: ")).findFirst().get();
    Outcome resumed =
        MolaProcess.run(folder, wordsOfShell(next.substring("go on: ./mola ".length())));
    assertThat(resumed.exitCode()).as(resumed.text()).isZero();
    if (!Files.exists(whole)) {
      run(whole, steps);
    }
    assertThat(tensors(out)).hasSameBinaryContentAs(tensors(whole));
  }

  @Test
  void ctrlCInATerminalEndsTheProgressBarAndSavesTheAdapter() throws Exception {
    Path out = folder.resolve("terminal");
    MolaProcess mola =
        MolaProcess.startInTerminal(
            folder, command(out, "--max-steps=300000", "--num-epochs=100000"));
    while (mola.process().isAlive() && !mola.answerSoFar().contains("loss ")) {
      Thread.sleep(20);
    }
    mola.process().getOutputStream().write(CTRL_C);
    mola.process().getOutputStream().flush();
    Outcome stopped = mola.outcome();

    assertThat(stopped.exitCode()).as(stopped.answer()).isEqualTo(130);
    assertThat(stopped.answer())
        .contains("training", "mola: interrupted; finishing the step and saving ...");
    assertThat(tensors(out)).exists();
  }

  @Test
  void anInterruptedRunThatCannotSaveHasFailed() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    boolean mounted =
        shell("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk.toString()) == 0;
    Assumptions.assumeTrue(mounted, "a small tmpfs cannot be mounted here");
    try {
      Path out = disk.resolve("out");
      String[] options = {"--num-epochs=20000", "--lora-r=32", "--save-steps=100000"};
      MolaProcess mola = MolaProcess.start(folder, command(out, options));
      awaitStep(mola);
      signal("INT", mola);
      Outcome outcome = mola.outcome();

      assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(1);
      assertThat(outcome.text()).containsPattern("mola: .*cannot be written: .*space");
      assertThat(names(out)).isEmpty();
    } finally {
      assertThat(shell("umount", disk.toString())).isZero();
    }
  }

  @Test
  void everyCheckpointOfARunThatIsKilledWhileSavingIsWhole() throws Exception {
    Path out = folder.resolve("killed");
    Path whole = folder.resolve("not killed");
    String[] steps = {"--max-steps=600", "--num-epochs=100", "--lora-r=64"};
    Random random = new Random(17);
    for (int i = 0; i < TRIES; i++) {
      String[] resume = i == 0 ? new String[0] : new String[] {"--resume-from-checkpoint=latest"};
      String[] saving = with(steps, "--save-steps=1", "--save-total-limit=2");
      MolaProcess mola = MolaProcess.start(folder, command(out, with(saving, resume)));
      awaitStep(mola);
      Thread.sleep(random.nextInt(300));
      mola.process().destroyForcibly();
      assertThat(mola.outcome().exitCode()).as(mola.textSoFar()).isEqualTo(137);
      List<String> checkpoints =
          names(out).stream().filter(name -> name.startsWith("checkpoint-")).toList();
      assertThat(checkpoints).isNotEmpty();
      checkpoints.forEach(name -> Checkpoint.open(out.resolve(name)));
    }
    Outcome last = run(out, with(steps, "--resume-from-checkpoint=latest"));
    assertThat(last.exitCode()).as(last.text()).isZero();
    run(whole, steps);
    assertThat(tensors(out)).hasSameBinaryContentAs(tensors(whole));
    assertThat(names(out)).noneMatch(name -> name.startsWith("."));
  }

  @Test
  void anAdapterIsTrainedFurtherInAnotherFolderOrInItsOwn() throws Exception {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    run(first, "--max-steps=4", "--num-experts=3,2", "--lora-r=4", "--top-k=1", "--lora-alpha=8");
    byte[] before = Files.readAllBytes(tensors(first));
    String[] further = {"--max-steps=4", "--adapter=" + first};
    Outcome outcome = run(second, with(further, "--lora-r=4", "--seed=7"));

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer())
        .contains("experts 3,2 (sum 5), rank 4, top-k 1", "from the adapter " + first)
        .contains("alpha 8.0, dropout 0.05");
    assertThat(tensors(first)).hasBinaryContent(before);
    Outcome refused = run(first, with(further, "--seed=7"));
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(tensors(first)).hasBinaryContent(before);
    Outcome inPlace = run(first, with(further, "--seed=7", "--overwrite"));
    assertThat(inPlace.exitCode()).as(inPlace.text()).isZero();
    assertThat(tensors(first)).hasSameBinaryContentAs(tensors(second));
    assertThat(names(first)).containsExactly("adapter_config.json", "adapter_model.safetensors");
  }

  @Test
  void tensorsWithoutConfigTakeTopKAndAlphaFromTheSettings() throws Exception {
    Path trained = folder.resolve("trained");
    run(trained, "--max-steps=1");
    Path bare = Files.copy(tensors(trained), folder.resolve("bare.safetensors"));
    Outcome outcome =
        run(
            folder.resolve("from-bare"),
            "--max-steps=1",
            "--adapter=" + bare,
            "--top-k=1",
            "--lora-alpha=4");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer()).contains("top-k 1,", "alpha 4.0, dropout 0.0");
  }

  @ParameterizedTest
  @CsvSource({"other.gguf, true", "other.gguf, false", "model.gguf, false"})
  void anAdapterOfAnotherBaseIsTrainedFurtherOnlyIfForced(String base, boolean force)
      throws Exception {
    Path adapter = folder.resolve("adapter-of-base");
    if (!Files.exists(adapter)) {
      run(adapter, "--max-steps=1");
      SmallModel.write(folder.resolve("other.gguf"), 2);
    }
    List<String> command =
        command(folder.resolve(base + force), "--max-steps=1", "--adapter=" + adapter);
    command.set(1, "--base-model=" + folder.resolve(base));
    command.addAll(force ? List.of("--force") : List.of());
    Outcome outcome = MolaProcess.start(folder, command).outcome();

    boolean refused = base.equals("other.gguf") && !force;
    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(refused ? 2 : 0);
    if (refused) {
      assertThat(outcome.text())
          .containsPattern(
              "mola: .*adapter-of-base: trained on a base model with fingerprint [0-9a-f]{64}"
                  + " \\(.*model.gguf\\), but this one has [0-9a-f]{64}; use that base, or --force");
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
                "--data-path=" + data,
                "--output-dir=" + out,
                "--batch-size=4",
                "--micro-batch-size=2"));
    command.addAll(List.of(options));
    return command;
  }

  private static String[] with(String[] options, String... more) {
    return Stream.of(options, more).flatMap(Arrays::stream).toArray(String[]::new);
  }

  private static void awaitStep(MolaProcess mola) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!STEP.matcher(mola.textSoFar()).find()) {
      assertThat(mola.process().isAlive()).as(mola.textSoFar()).isTrue();
      assertThat(System.nanoTime()).as("two minutes without a step").isLessThan(deadline);
      Thread.sleep(20);
    }
  }

  private static void signal(String name, MolaProcess mola) throws Exception {
    assertThat(shell("kill", "-" + name, Long.toString(mola.process().pid()))).isZero();
  }

  private static int shell(String... command) throws Exception {
    return new ProcessBuilder(command).inheritIO().start().waitFor();
  }

  /** What a shell makes of a command. */
  private static String[] wordsOfShell(String command) throws Exception {
    Process shell =
        new ProcessBuilder("sh", "-c", "printf '%s\\n' " + command)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    return new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
        .lines()
        .toArray(String[]::new);
  }

  private static Path tensors(Path adapter) {
    return adapter.resolve("adapter_model.safetensors");
  }

  private static List<String> names(Path out) throws IOException {
    try (Stream<Path> files = Files.list(out)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
