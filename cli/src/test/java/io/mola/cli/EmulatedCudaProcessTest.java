package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.testdata.Fixtures;
import io.mola.testdata.embedded.RandomBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The packed program with the CUDA backend, on CUDA libraries that compute on the CPU: {@code
 * perf/gpu/with-emulation.sh} puts them in place. Skipped where they cannot be built.
 */
class EmulatedCudaProcessTest {
  private static final Path LIBRARIES =
      Path.of(System.getProperty("mola.distribution", "no-distribution"), "lib");
  private static final Path WITH_EMULATION = Path.of("..", "perf", "gpu", "with-emulation.sh");
  private static final int MINUTES = 5;

  @TempDir static Path folder;

  private record Outcome(int exitCode, String answer, String text) {}

  @BeforeAll
  static void buildTheLibraries() throws Exception {
    Assumptions.assumeTrue(
        Files.isDirectory(LIBRARIES), "no packed distribution: this test runs after packaging");
    Outcome built = run(Map.of(), List.of("true"));
    if (built.exitCode() != 0) {
      if ("true".equals(System.getenv("CI"))) {
        Assertions.fail(built.text());
      }
      Assumptions.abort(built.text());
    }
  }

  @Test
  void nobodyTakesItForAGpu() throws Exception {
    Outcome outcome = mola(Map.of(), "backends");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer())
        .containsPattern("cuda +usable +CUDA emulator on the CPU \\(no GPU\\)");
  }

  @Test
  void recordedTrainingStepsAreReproduced() throws Exception {
    Path golden = Fixtures.path("golden/mola-step").toAbsolutePath();

    Outcome outcome =
        mola(Map.of(), "verify", "--golden", golden.toString(), "--backend", "cuda", "--json");

    assertThat(outcome.exitCode()).as(outcome.answer() + outcome.text()).isZero();
  }

  @Test
  void inBfloat16RecordedStepsAreJudgedByWhatRoundingLetsOneExpect() throws Exception {
    Path golden = Fixtures.path("golden/mola-step").toAbsolutePath();

    Outcome outcome =
        mola(
            Map.of("MOLA_CUDA_PRECISION", "bf16"),
            "verify",
            "--golden",
            golden.toString(),
            "--backend",
            "cuda",
            "--json");

    assertThat(outcome.exitCode()).as(outcome.answer() + outcome.text()).isZero();
    assertThat(outcome.text()).contains("inner precision bf16");
    JsonNode answer = JsonMapper.shared().readTree(outcome.answer());
    assertThat(answer.get("precision").stringValue()).isEqualTo("bf16");
    JsonNode first = answer.get("cases").get(0);
    // it is bfloat16 indeed, and the optimiser is not
    assertThat(first.get("logits_rel").doubleValue()).isBetween(1e-4, 0.04);
    assertThat(first.get("after_1_from_recorded_grads_abs").doubleValue()).isLessThan(2e-7);
  }

  @Test
  void twentyStepsInFloat32AreThoseOfTheProcessor() throws Exception {
    Path data = SmallModel.examples(folder.resolve("parity.jsonl"), 40, 3);

    Outcome outcome =
        mola(
            Map.of(),
            "verify",
            "--backend",
            "cuda",
            "--against",
            "simd",
            "--base-model",
            model().toString(),
            "--data-path",
            data.toString(),
            "--num-experts",
            "3",
            "--batch-size",
            "4",
            "--micro-batch-size",
            "2",
            "--max-steps",
            "20",
            "--json");

    assertThat(outcome.exitCode()).as(outcome.answer() + outcome.text()).isZero();
    JsonNode whole = JsonMapper.shared().readTree(outcome.answer()).get("cases").get(0);
    assertThat(whole.get("name").stringValue()).isEqualTo("cuda against simd");
    assertThat(whole.get("losses_rel").doubleValue()).isLessThan(1e-5);
  }

  @Test
  void thePlanSaysWhatStreamsWhereDeviceMemoryIsShort() throws Exception {
    JsonNode roomy = plan(Map.of(), 0).get("device");
    assertThat(roomy.get("streamed_weights_bytes").longValue()).isZero();
    long decoded = roomy.get("parts").get("frozen weights, decoded").longValue();
    long encoded = decoded / 2; // F16, where activations are float32
    long rest =
        roomy.get("planned_bytes").longValue()
            - roomy.get("parts").get("left to the driver").longValue()
            - decoded;

    JsonNode tight = plan(memory(rest + encoded / 2), 0).get("device");

    assertThat(tight.get("fits").booleanValue()).isTrue();
    assertThat(tight.get("parts").get("frozen weights, decoded").longValue()).isZero();
    long resident = tight.get("parts").get("frozen weights, as in the file").longValue();
    long streamed = tight.get("streamed_weights_bytes").longValue();
    assertThat(resident + streamed).isEqualTo(encoded);
    assertThat(streamed).isBetween(encoded / 2, encoded);
    long copied = tight.get("streamed_bytes_per_step").longValue();
    assertThat(copied).isGreaterThan(streamed);
    assertThat(tight.get("streaming_seconds_per_step").doubleValue())
        .isEqualTo(copied / tight.get("streaming_bytes_per_second").doubleValue());
    assertThat(tight.get("streaming_rate_source").stringValue()).contains("assumed");
  }

  @Test
  void whatDoesNotFitTheDeviceEvenStreamedIsRefusedAtOnce() throws Exception {
    Map<String, String> little = Map.of("EMU_MEMORY", Long.toString(64 << 20));
    JsonNode plan = plan(little, 2);
    assertThat(plan.get("fits").booleanValue()).isFalse();
    assertThat(plan.get("device").get("fits").booleanValue()).isFalse();

    Outcome outcome = threeSteps(little, folder.resolve("too-large"));

    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(2);
    assertThat(outcome.text())
        .contains("has 63 MiB free and this run needs at least", "--micro-batch-size");
  }

  private static Path model() {
    Path file = folder.resolve("small.gguf");
    return Files.exists(file) ? file : SmallModel.write(file, 5);
  }

  /** A device with so much for a run, beside a 64th that is left to the driver. */
  private static Map<String, String> memory(long planned) {
    long numbersThatVary = 40 << 10;
    return Map.of("EMU_MEMORY", Long.toString((planned + numbersThatVary) * 64 / 63));
  }

  private static JsonNode plan(Map<String, String> environment, int exitCode) throws Exception {
    Path model = folder.resolve("planned.gguf");
    RandomBase.main(new String[] {model.toString(), "5", "128", "256", "2", "2", "0.2", "1.0"});
    // recomputing blocks would be the first way to make room
    Outcome outcome =
        mola(
            environment,
            "plan",
            "--backend",
            "cuda",
            "--base-model",
            model.toString(),
            "--gradient-checkpointing",
            "on",
            "--json");
    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(exitCode);
    return JsonMapper.shared().readTree(outcome.answer());
  }

  @Test
  void afterADeviceFailedTheRunGoesOnFromItsCheckpoint() throws Exception {
    Path whole = folder.resolve("whole");
    Path broken = folder.resolve("broken");
    assertThat(threeSteps(Map.of(), whole).exitCode()).isZero();

    Outcome lost = threeSteps(Map.of("EMU_FAULT", "kernel adamw:3:719"), broken);
    assertThat(lost.exitCode()).as(lost.text()).isEqualTo(1);
    assertThat(lost.text()).contains("continue from the last checkpoint").doesNotContain("\tat ");
    try (Stream<Path> left = Files.list(broken)) {
      assertThat(left.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder("checkpoint-1", "checkpoint-2");
    }

    Outcome resumed = threeSteps(Map.of(), broken, "--resume-from-checkpoint", "latest");
    assertThat(resumed.exitCode()).as(resumed.text()).isZero();
    assertThat(broken.resolve("adapter_model.safetensors"))
        .hasSameBinaryContentAs(whole.resolve("adapter_model.safetensors"));
  }

  private static Outcome threeSteps(Map<String, String> environment, Path output, String... more)
      throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "finetune",
                "--backend",
                "cuda",
                "--base-model",
                model().toString(),
                "--data-path",
                SmallModel.examples(folder.resolve("lost.jsonl"), 40).toString(),
                "--max-steps",
                "3",
                "--save-steps",
                "1",
                "--output-dir",
                output.toString()));
    arguments.addAll(List.of(more));
    return mola(environment, arguments.toArray(String[]::new));
  }

  @Test
  void theEmbeddedModelIsTrained() throws Exception {
    Path output = folder.resolve("trained");

    Outcome outcome =
        mola(
            Map.of("MOLA_CUDA_PRECISION", "bf16"),
            "finetune",
            "--backend",
            "cuda",
            "--max-steps",
            "3",
            "--output-dir",
            output.toString());

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(output.resolve("adapter_model.safetensors")).exists();
  }

  @Test
  void aDeviceThatFailsEndsTheRunWithOneLineAndLeavesNoFile() throws Exception {
    Path output = folder.resolve("failed");

    Outcome outcome =
        mola(
            Map.of("EMU_FAULT", "kernel adamw:2:719"),
            "finetune",
            "--backend",
            "cuda",
            "--max-steps",
            "3",
            "--output-dir",
            output.toString());

    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(1);
    assertThat(outcome.text())
        .contains("CUDA_ERROR_LAUNCH_FAILED", "continue from the last checkpoint")
        .doesNotContain("\tat ");
    if (Files.exists(output)) {
      try (Stream<Path> files = Files.walk(output).filter(Files::isRegularFile)) {
        assertThat(files.map(file -> file.getFileName().toString()))
            .doesNotContain("adapter_model.safetensors")
            .noneMatch(name -> name.endsWith(".part") || name.endsWith(".tmp"));
      }
    }
  }

  private static Outcome mola(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + LIBRARIES.resolveSibling("java.options"),
                "-Xmx1g",
                "-p",
                LIBRARIES.toString(),
                "-m",
                "io.mola.cli/io.mola.cli.Mola"));
    command.addAll(List.of(arguments));
    return run(environment, command);
  }

  /** Runs a command with the libraries in place. */
  private static Outcome run(Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    Path answer = Files.createTempFile(folder, "answer", ".txt");
    Path text = Files.createTempFile(folder, "text", ".txt");
    List<String> all = new ArrayList<>(List.of("sh", WITH_EMULATION.toString()));
    all.addAll(command);
    ProcessBuilder builder = new ProcessBuilder(all);
    builder.environment().putAll(environment);
    Process process = builder.redirectOutput(answer.toFile()).redirectError(text.toFile()).start();
    if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    return new Outcome(process.waitFor(), Files.readString(answer), Files.readString(text));
  }
}
