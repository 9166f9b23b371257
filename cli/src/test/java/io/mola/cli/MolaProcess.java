package io.mola.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;

/** The packed program as a process of its own. */
final class MolaProcess {
  /** Folder of all jars. */
  static final Path LIBRARIES =
      Path.of(System.getProperty("mola.distribution", "no-distribution"), "lib");

  private static final Path SCRIPT = Path.of("/usr/bin/script");
  private static final int MINUTES = 5;

  private final Process process;
  private final Path answer;
  private final Path text;

  private MolaProcess(Process process, Path answer, Path text) {
    this.process = process;
    this.answer = answer;
    this.text = text;
  }

  /**
   * How a process ended.
   *
   * @param exitCode as the shell sees it
   * @param answer standard output
   * @param text standard error without Java's own warnings
   */
  record Outcome(int exitCode, String answer, String text) {}

  /** Skips a test that does not run from the packaged build. */
  static void assumePackaged() {
    Assumptions.assumeTrue(
        Files.isDirectory(LIBRARIES), "no packed distribution: this test runs after packaging");
  }

  /** Starts it; its output goes to files below {@code folder}. */
  static MolaProcess start(Path folder, List<String> arguments) throws IOException {
    return start(folder, LIBRARIES.toString(), arguments);
  }

  /** The same with another module path. */
  static MolaProcess start(Path folder, String modulePath, List<String> arguments)
      throws IOException {
    List<String> command = command(modulePath, List.of(), arguments);
    return start(folder, new ProcessBuilder(command));
  }

  /** The same in a terminal of 80 columns, that the program {@code script} of util-linux makes. */
  static MolaProcess startInTerminal(Path folder, List<String> arguments) throws IOException {
    Assumptions.assumeTrue(
        System.getProperty("os.name").equals("Linux") && Files.isExecutable(SCRIPT),
        "no " + SCRIPT + " of util-linux: it makes the terminal");
    String command =
        command(LIBRARIES.toString(), List.of("-Dmola.columns=80"), arguments).stream()
            .map(word -> "'" + word + "'")
            .collect(Collectors.joining(" ", "exec ", ""));
    return start(
        folder, new ProcessBuilder(SCRIPT.toString(), "-q", "-e", "-c", command, "/dev/null"));
  }

  private static List<String> command(
      String modulePath, List<String> options, List<String> arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + LIBRARIES.resolveSibling("java.options"),
                "-Xmx1g"));
    command.addAll(options);
    command.addAll(List.of("-p", modulePath, "-m", "io.mola.cli/io.mola.cli.Mola"));
    command.addAll(arguments);
    return command;
  }

  private static MolaProcess start(Path folder, ProcessBuilder builder) throws IOException {
    Path answer = Files.createTempFile(folder, "answer", ".txt");
    Path text = Files.createTempFile(folder, "text", ".txt");
    builder.environment().putIfAbsent("MALLOC_TRIM_THRESHOLD_", "131072"); // as ./mola does
    Process process = builder.redirectOutput(answer.toFile()).redirectError(text.toFile()).start();
    return new MolaProcess(process, answer, text);
  }

  /** Runs it to its end. */
  static Outcome run(Path folder, String... arguments) throws IOException, InterruptedException {
    return start(folder, List.of(arguments)).outcome();
  }

  /** Runs it with a further jar on the module path. */
  static Outcome runWith(Path jar, Path folder, String... arguments)
      throws IOException, InterruptedException {
    return start(folder, LIBRARIES + File.pathSeparator + jar, List.of(arguments)).outcome();
  }

  /** The running process. */
  Process process() {
    return process;
  }

  /** What it has written to standard output so far; in a terminal, everything. */
  String answerSoFar() throws IOException {
    return Files.readString(answer);
  }

  /** What it has written to standard error so far. */
  String textSoFar() throws IOException {
    return Files.readString(text)
        .lines()
        .filter(line -> !line.startsWith("WARNING: Using incubator modules"))
        .collect(Collectors.joining("\n"));
  }

  /** Waits for its end; a process that does not end is killed, which shows as its exit code. */
  Outcome outcome() throws IOException, InterruptedException {
    if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    return new Outcome(process.waitFor(), Files.readString(answer), textSoFar());
  }
}
