package io.mola.perf.gpu;

import java.io.PrintStream;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a section of the measurement found, as a JSON document of one line. It is printed again each
 * time something is added, so that a section whose time runs out still shows what it had: readers
 * take the last whole line.
 */
final class Answer {
  private static final JsonMapper JSON = new JsonMapper();

  /** To be filled. */
  final ObjectNode node = JSON.createObjectNode();

  private final PrintStream out;

  Answer(PrintStream out) {
    this.out = out;
  }

  /** Prints it as it is now. */
  void show() {
    out.println(JSON.writeValueAsString(node));
    out.flush();
  }
}
