package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.testdata.Fixtures;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A backend that mola was not built with: its source in {@code src/test/foreign} is compiled
 * against the distribution, packed as a modular jar, and put on the module path of a started mola.
 */
class ForeignBackendProcessTest {
  private static final Path LIBRARIES =
      Path.of(System.getProperty("mola.distribution", "no-distribution"), "lib");

  @TempDir static Path folder;

  private static Path jar;

  private record Outcome(int exitCode, String answer, String text) {}

  @BeforeAll
  static void packTheForeignModule() throws IOException {
    Assumptions.assumeTrue(
        Files.isDirectory(LIBRARIES), "no packed distribution: this test runs after packaging");
    Path classes = Files.createDirectory(folder.resolve("classes"));
    List<String> arguments =
        new ArrayList<>(List.of("-p", LIBRARIES.toString(), "-d", classes.toString()));
    try (Stream<Path> sources = Files.walk(Path.of("src/test/foreign"))) {
      sources.map(Path::toString).filter(name -> name.endsWith(".java")).forEach(arguments::add);
    }
    jar = folder.resolve("counting.jar");
    run("javac", arguments);
    run("jar", List.of("--create", "--file", jar.toString(), "-C", classes.toString(), "."));
  }

  @Test
  void isListedBesideTheOthers() throws Exception {
    Outcome outcome = mola("backends", "--json");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer())
        .contains("\"counting\"", "counts the calls of backend simd")
        .contains("\"simd\"", "\"cuda\"", "\"reference\"");
  }

  @Test
  void computesARecordedTrainingRunAndSeesItsCalls() throws Exception {
    Path golden = Fixtures.path("golden/mola-step/masked");

    Outcome outcome = mola("verify", "--backend", "counting", "--golden", golden.toString());

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    for (String operation :
        List.of(
            "adapters.forward",
            "adapters.backward",
            "routers.balanceLoss",
            "attention.backward",
            "loss.crossEntropyHead",
            "optimizer.adamW",
            "memory.download")) {
      assertThat(outcome.text()).containsPattern("counted " + operation + " [1-9]");
    }
  }

  @Test
  void finetunesAndReportsItsCalls() throws Exception {
    Path model = Fixtures.path("models/stories260k/stories260k-f32.gguf");
    Path data =
        Files.writeString(
            folder.resolve("data.jsonl"),
            """
            {"input_ids": [1, 403, 407, 261], "labels": [-100, -100, 407, 261]}
            {"input_ids": [1, 410, 430], "labels": [-100, 410, 430]}
            """);

    Outcome outcome =
        mola(
            "finetune",
            "--json",
            "--backend=counting",
            "--base-model=" + model,
            "--data-path=" + data,
            "--output-dir=" + folder.resolve("adapter"),
            "--max-steps=3");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer()).contains("\"steps\":3");
    assertThat(outcome.text()).containsPattern("counted optimizer.adamW 3\\b");
  }

  private static void run(String tool, List<String> arguments) {
    int code =
        ToolProvider.findFirst(tool)
            .orElseThrow()
            .run(System.out, System.err, arguments.toArray(String[]::new));
    assertThat(code).as(tool).isZero();
  }

  private static Outcome mola(String... arguments) throws IOException, InterruptedException {
    Path options = LIBRARIES.resolveSibling("java.options");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + options,
                "-Xmx1g",
                "-p",
                LIBRARIES + File.pathSeparator + jar,
                "-m",
                "io.mola.cli/io.mola.cli.Mola"));
    command.addAll(List.of(arguments));
    Path answer = Files.createTempFile(folder, "answer", ".txt");
    Path text = Files.createTempFile(folder, "text", ".txt");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(answer.toFile())
            .redirectError(text.toFile())
            .start();
    if (!process.waitFor(5, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    return new Outcome(process.waitFor(), Files.readString(answer), Files.readString(text));
  }
}
