package io.mola.perf.gpu;

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
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The archive for machines with a GPU, made and unpacked, and processes that start it as such a
 * machine would: on CUDA libraries that compute on the CPU, with no Java that answers. Where these
 * cannot be built the tests are skipped with the reason; with {@code CI=true} they fail.
 */
final class MeasuringMachine {
  private static final Path SCRIPTS = Path.of("gpu").toAbsolutePath();
  private static final Path DISTRIBUTION = Path.of("..", "cli", "target", "dist", "lib");
  private static final Path OWN_LIBRARIES = Path.of("target", "lib");
  private static final Path COMPILED =
      Path.of("..", "backend-cuda", "target", "emulation", "kernels").toAbsolutePath().normalize();
  private static final int MINUTES = 25;

  private final Path folder;
  private final Path programs;

  /**
   * How a process ended.
   *
   * @param exitCode as the shell sees it
   * @param text all that it printed
   */
  record Outcome(int exitCode, String text) {}

  private MeasuringMachine(Path folder, Path programs) {
    this.folder = folder;
    this.programs = programs;
  }

  /** Makes the archive from the packed build and unpacks it below the folder. */
  static MeasuringMachine prepare(Path folder) throws IOException, InterruptedException {
    Assumptions.assumeTrue(
        Files.isDirectory(DISTRIBUTION) && Files.isDirectory(OWN_LIBRARIES),
        "no packed distribution: this test runs after packaging, with cli");
    MeasuringMachine machine =
        new MeasuringMachine(folder, Files.createDirectory(folder.resolve("bin")));
    machine.program("java", "touch " + machine.calledJava(), "exit 1");
    for (String tool : List.of("jlink", "zip", "unzip", "xz")) {
      require(tool.equals("jlink") ? jdk().resolve("bin/jlink") : Path.of("/usr/bin", tool));
    }
    Outcome emulation = machine.run(Map.of(), List.of("true"));
    if (emulation.exitCode() != 0) {
      unusable(emulation.text());
    }
    Outcome made =
        run(
            folder,
            Map.of("JAVA_HOME", jdk().toString()),
            List.of(
                SCRIPTS + "/make_bundle.sh", "--built", "--loose", machine.archive().toString()));
    Assertions.assertEquals(0, made.exitCode(), made.text());
    Outcome unpacked = run(folder, Map.of(), List.of("tar", "-xJf", machine.archive().toString()));
    Assertions.assertEquals(0, unpacked.exitCode(), unpacked.text());
    return machine;
  }

  private static Path jdk() {
    return Path.of(System.getProperty("java.home"));
  }

  private static void require(Path program) {
    if (!Files.isExecutable(program)) {
      unusable(program + " was not found, which makes the archive");
    }
  }

  private static void unusable(String reason) {
    if ("true".equals(System.getenv("CI"))) {
      Assertions.fail(reason);
    }
    Assumptions.abort(reason);
  }

  Path archive() {
    return folder.resolve("mola-gpu.tar.xz");
  }

  /** A file that exists once somebody started a Java that is not in the archive. */
  Path calledJava() {
    return folder.resolve("called-java");
  }

  /** Puts a program on the path, of these shell lines. */
  void program(String name, String... lines) throws IOException {
    Path file = programs.resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
    Assertions.assertTrue(file.toFile().setExecutable(true), file + " is made executable");
  }

  /** Runs {@code measure.sh} at small sizes. */
  Outcome measure(Map<String, String> environment, String name, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(folder + "/mola-gpu/measure.sh", "--tiny"));
    command.addAll(List.of(options));
    command.add(folder.resolve(name).toString());
    return run(environment, command);
  }

  /** The report of a measurement. */
  JsonNode report(String name) {
    return new JsonMapper().readTree(folder.resolve(name).resolve("mola-gpu.json"));
  }

  String table(String name) throws IOException {
    return Files.readString(folder.resolve(name).resolve("table.txt"));
  }

  private Outcome run(Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("env", "-i"));
    all.add("PATH=" + programs + ":/usr/bin:/bin");
    all.add("HOME=" + folder);
    all.add("MOLA_CUDA_CACHE=" + COMPILED); // shared with the tests of the backend
    environment.forEach((name, value) -> all.add(name + "=" + value));
    all.add(SCRIPTS + "/with-emulation.sh");
    all.addAll(command);
    return run(folder, Map.of(), all);
  }

  private static Outcome run(Path folder, Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    Path text = Files.createTempFile(folder, "text", ".txt");
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).redirectOutput(text.toFile()).start();
    if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
      try (Stream<ProcessHandle> children = process.descendants()) {
        children.forEach(ProcessHandle::destroyForcibly);
      }
      process.destroyForcibly();
    }
    return new Outcome(process.waitFor(), Files.readString(text));
  }
}
