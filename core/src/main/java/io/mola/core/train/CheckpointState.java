package io.mola.core.train;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code training_state.json} of a checkpoint.
 *
 * @param step steps that are done
 * @param backend that computed them
 * @param identity values of the run's {@link RunIdentity}
 * @param sha256 of the checkpoint's other files, by name
 */
record CheckpointState(
    int step, String backend, Map<String, String> identity, Map<String, String> sha256) {
  private static final int FORMAT = 1;
  private static final long LARGEST = 1 << 20;
  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build();

  /** As text. */
  String json() {
    ObjectNode root = MAPPER.createObjectNode();
    root.put("format", FORMAT).put("step", step).put("backend", backend);
    identity.forEach(root.putObject("run")::put);
    sha256.forEach(root.putObject("sha256")::put);
    return MAPPER.writeValueAsString(root) + "\n";
  }

  /**
   * Reads the file.
   *
   * @throws MalformedFileException if it is missing, so that the folder is no checkpoint, or
   *     damaged
   */
  static CheckpointState read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new MalformedFileException(
          file, "is missing, so the folder is no checkpoint to go on from");
    }
    try {
      if (Files.size(file) > LARGEST) {
        throw new MalformedFileException(file, "is too large; use another checkpoint");
      }
      JsonNode root = MAPPER.readTree(Files.readString(file));
      JsonNode step = root.path("step");
      if (root.path("format").asInt(0) != FORMAT) {
        throw new MalformedFileException(
            file, "format is %s; %d is read".formatted(root.path("format"), FORMAT));
      }
      if (!step.canConvertToInt() || step.asInt() < 1) {
        throw new MalformedFileException(file, "step is " + step + ", not a number of steps");
      }
      return new CheckpointState(
          step.asInt(),
          root.path("backend").asString("unknown"),
          texts(file, root, "run"),
          texts(file, root, "sha256"));
    } catch (JacksonException e) {
      throw new MalformedFileException(
          file, "not valid JSON: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static Map<String, String> texts(Path file, JsonNode root, String key) {
    Map<String, String> texts = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : root.path(key).properties()) {
      if (!entry.getValue().isString()) {
        throw new MalformedFileException(
            file, "%s of %s is not a text".formatted(entry.getKey(), key));
      }
      texts.put(entry.getKey(), entry.getValue().asString());
    }
    return texts;
  }
}
