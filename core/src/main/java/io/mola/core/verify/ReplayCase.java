package io.mola.core.verify;

import io.mola.core.data.Example;
import io.mola.core.failure.MalformedFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One recorded forward pass of {@code replay.json} (format {@code mola-replay-1}).
 *
 * @param name for reports
 * @param model GGUF file or checkpoint folder
 * @param sequences tokens and labels
 * @param logits recorded logits; null if none
 * @param loss mean over all targets; null if not recorded
 * @param tokenLogProbabilities of each target of the only sequence; null if not recorded
 * @param greedy continuation of the only sequence; null if not recorded
 * @param logitsTolerance largest absolute difference
 * @param lossTolerance largest absolute difference
 * @param logProbabilityTolerance largest absolute difference
 */
record ReplayCase(
    String name,
    Path model,
    List<Example> sequences,
    @Nullable Logits logits,
    @Nullable Double loss,
    double @Nullable [] tokenLogProbabilities,
    int @Nullable [] greedy,
    double logitsTolerance,
    double lossTolerance,
    double logProbabilityTolerance) {

  /**
   * Where recorded logits lie.
   *
   * @param file safetensors, or raw little-endian float32
   * @param tensor name within a safetensors file; null for raw files
   * @param positions rows of the only sequence; null: all rows of all sequences
   */
  record Logits(Path file, @Nullable String tensor, int @Nullable [] positions) {}

  /** All cases of a file. */
  static List<ReplayCase> read(Path file) {
    GoldenJson json = GoldenJson.read(file);
    if (!json.require("format").asString().equals("mola-replay-1")) {
      throw new MalformedFileException(
          file, "format " + json.require("format") + " is not mola-replay-1");
    }
    List<ReplayCase> cases = new ArrayList<>();
    for (JsonNode node : json.require("cases")) {
      cases.add(parse(json, node));
    }
    return cases;
  }

  private static ReplayCase parse(GoldenJson json, JsonNode node) {
    Path folder = json.folder();
    String name = json.require(node, "name").asString();
    Path model = folder.resolve(json.require(node, "model").asString()).normalize();
    List<Example> sequences = new ArrayList<>();
    for (JsonNode sequence : json.require(node, "sequences")) {
      int[] ids = GoldenJson.ints(json.require(sequence, "input_ids"));
      JsonNode labels = sequence.get("labels");
      sequences.add(new Example(ids, labels == null ? ids : GoldenJson.ints(labels), name));
    }
    JsonNode expected = json.require(node, "expected");
    JsonNode tolerance = json.require(node, "tolerance");
    JsonNode loss = expected.get("loss");
    JsonNode logProbabilities = expected.get("token_logprobs");
    JsonNode greedy = expected.get("greedy_ids");
    return new ReplayCase(
        name,
        model,
        List.copyOf(sequences),
        logits(json, folder, expected.get("logits")),
        loss == null ? null : loss.asDouble(),
        logProbabilities == null ? null : GoldenJson.doubles(logProbabilities),
        greedy == null ? null : GoldenJson.ints(greedy),
        tolerance(tolerance, "logits_abs"),
        tolerance(tolerance, "loss_abs"),
        tolerance(tolerance, "logprob_abs"));
  }

  private static @Nullable Logits logits(GoldenJson json, Path folder, @Nullable JsonNode node) {
    if (node == null) {
      return null;
    }
    JsonNode tensor = node.get("tensor");
    JsonNode positions = node.get("positions");
    return new Logits(
        folder.resolve(json.require(node, "file").asString()),
        tensor == null ? null : tensor.asString(),
        positions == null ? null : GoldenJson.ints(positions));
  }

  /** A missing tolerance lets nothing pass: a recorded value must come with one. */
  private static double tolerance(JsonNode node, String key) {
    JsonNode value = node.get(key);
    return value == null ? 0 : value.asDouble();
  }
}
