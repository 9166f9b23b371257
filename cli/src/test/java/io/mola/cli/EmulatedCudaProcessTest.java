package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.testdata.Fixtures;
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
