package io.mola.cli;

import java.io.PrintStream;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * Where a command writes. Without {@code --json} the answer is text on standard output; with it the
 * answer is one JSON object there and all text goes to the error stream.
 *
 * @param json whether the answer is JSON
 */
record Output(boolean json) {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  /** Text that is (part of) the answer. */
  PrintStream text() {
    return json ? System.err : System.out;
  }

  /** Progress and remarks, never part of the answer. */
  PrintStream remarks() {
    return System.err;
  }

  /** The answer for programs; nothing without {@code --json}. */
  void answer(Map<String, ?> object) {
    if (json) {
      System.out.println(MAPPER.writeValueAsString(object));
    }
  }
}
