package io.mola.core.verify;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads the JSON files of recorded cases, with messages that name file and key. */
final class GoldenJson {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final Path file;
  private final JsonNode root;

  private GoldenJson(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  static GoldenJson read(Path file) {
    if (!Files.isReadable(file)) {
      throw new UsageException(file + ": cannot be read");
    }
    try {
      return new GoldenJson(file, MAPPER.readTree(file.toFile()));
    } catch (JacksonException e) {
      throw new MalformedFileException(file, "not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  Path file() {
    return file;
  }

  /** The folder of the file. */
  Path folder() {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? file : parent;
  }

  JsonNode root() {
    return root;
  }

  JsonNode require(JsonNode node, String key) {
    JsonNode value = node.get(key);
    if (value == null) {
      throw new MalformedFileException(file, "key " + key + " is missing");
    }
    return value;
  }

  JsonNode require(String key) {
    return require(root, key);
  }

  static int[] ints(JsonNode array) {
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asInt();
    }
    return values;
  }

  static double[] doubles(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asDouble();
    }
    return values;
  }
}
