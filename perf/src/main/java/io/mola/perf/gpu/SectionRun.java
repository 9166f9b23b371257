package io.mola.perf.gpu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * How one section of the measurement ended: a line {@code name exitStatus seconds limit} of {@code
 * sections.tsv}, and beside it {@code name.out} with the section's {@link Answer} and {@code
 * name.log} with what it said.
 *
 * @param name of the section
 * @param exitStatus of its process, as {@code timeout} of coreutils passes it on
 * @param seconds that it took
 * @param limit in seconds
 * @param folder of the files
 */
record SectionRun(String name, int exitStatus, int seconds, int limit, Path folder) {
  /** Exit status of a section that does not apply to this machine, as automake has it. */
  private static final int LEFT_OUT = 77;

  private static final int TIMED_OUT = 124;
  private static final int KILLED = 137; // 128 + SIGKILL: it did not even end when asked to
  private static final int TOLD_LINES = 6;
  private static final JsonMapper JSON = new JsonMapper();

  /** All sections that were started, in their order. */
  static List<SectionRun> read(Path folder) throws IOException {
    return Files.readAllLines(folder.resolve("sections.tsv")).stream()
        .map(line -> line.split("\t", -1))
        .map(field ->
            new SectionRun(
                field[0],
                Integer.parseInt(field[1]),
                Integer.parseInt(field[2]),
                Integer.parseInt(field[3]),
                folder))
        .toList();
  }

  /** {@code ok}, {@code left out}, {@code timed out} or {@code failed}. */
  String status() {
    return switch (exitStatus) {
      case 0 -> result().isPresent() ? "ok" : "failed";
      case LEFT_OUT -> "left out";
      case TIMED_OUT -> "timed out";
      case KILLED -> seconds >= limit ? "timed out" : "failed"; // or for want of memory
      default -> "failed";
    };
  }

  boolean failed() {
    return !status().equals("ok") && !status().equals("left out");
  }

  /** What it found, even if it failed after that: its last whole JSON line. */
  Optional<ObjectNode> result() {
    Optional<ObjectNode> last = Optional.empty();
    for (String line : lines("out")) {
      if (line.startsWith("{")) {
        try {
          last = Optional.of((ObjectNode) JSON.readTree(line));
        } catch (JacksonException cutOff) {
          // the process ended while it wrote: the line before it counts
        }
      }
    }
    return last;
  }

  /** The last lines that it said, empty if there are none. */
  String message() {
    List<String> said = lines("log").stream().filter(line -> !line.isBlank()).toList();
    return String.join("\n", said.subList(Math.max(0, said.size() - TOLD_LINES), said.size()));
  }

  /** Lines of {@code compute-sanitizer} within the output. */
  List<String> sanitizerLines() {
    return lines("out").stream().filter(line -> line.startsWith("=========")).toList();
  }

  private List<String> lines(String ending) {
    Path file = folder.resolve(name + "." + ending);
    try {
      // byte by byte: a device's messages need not be UTF-8
      return Files.exists(file) ? Files.readAllLines(file, StandardCharsets.ISO_8859_1) : List.of();
    } catch (IOException e) {
      return List.of(file + " cannot be read: " + e.getMessage());
    }
  }
}
