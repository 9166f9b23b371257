package io.mola.core.verify;

import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.data.Example;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.Projection;
import io.mola.core.train.OptimizerConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * A recorded training run: a folder with {@code case.json}, {@code step.json}, {@code
 * trajectory.json} and tensors before and after.
 *
 * @param folder of the case, which is also the checkpoint folder of its model
 * @param shape experts, ranks, top-k
 * @param balance variant of the balance loss
 * @param coefficient of the balance loss
 * @param optimizer AdamW and clipping; the schedule is given by {@code rates}
 * @param rates learning rate of every step of the trajectory
 * @param firstRate learning rate of {@code after_1}
 * @param steps micro-batches of every batch: one, or all of them where they accumulate
 * @param masks attention masks of the rows of each batch
 */
record StepCase(
    Path folder,
    AdapterShape shape,
    BalanceLoss balance,
    double coefficient,
    OptimizerConfig optimizer,
    double[] rates,
    double firstRate,
    List<List<List<Example>>> steps,
    List<int[][]> masks) {

  static StepCase read(Path file) {
    GoldenJson json = GoldenJson.read(file);
    JsonNode o = json.require("optimizer");
    List<List<Example>> batches = new ArrayList<>();
    List<int[][]> masks = new ArrayList<>();
    for (JsonNode batch : json.require("batches")) {
      batches.add(examples(json, batch, masks));
    }
    boolean accumulate = json.require("accumulate").asBoolean();
    double[] betas = GoldenJson.doubles(json.require(o, "betas"));
    return new StepCase(
        json.folder(),
        shape(json),
        balance(json),
        json.require("router_aux_loss_coef").asDouble(),
        new OptimizerConfig(
            json.require(o, "lr").asDouble(),
            OptimizerConfig.Schedule.LINEAR,
            json.require(o, "warmup_steps").asInt(),
            betas[0],
            betas[1],
            json.require(o, "eps").asDouble(),
            json.require(o, "weight_decay").asDouble(),
            json.require(o, "max_grad_norm").asDouble()),
        GoldenJson.doubles(json.require("lr_per_step")),
        json.require(json.require("after_1"), "lr").asDouble(),
        accumulate ? List.of(batches) : batches.stream().map(List::of).toList(),
        masks);
  }

  /** The rows of a batch without their padding. */
  private static List<Example> examples(GoldenJson json, JsonNode batch, List<int[][]> masks) {
    JsonNode ids = json.require(batch, "input_ids");
    JsonNode labels = json.require(batch, "labels");
    JsonNode mask = json.require(batch, "attention_mask");
    int[][] rows = new int[ids.size()][];
    List<Example> examples = new ArrayList<>();
    for (int r = 0; r < rows.length; r++) {
      rows[r] = GoldenJson.ints(mask.get(r));
      int[] tokens = GoldenJson.ints(ids.get(r));
      int[] targets = GoldenJson.ints(labels.get(r));
      int n = Arrays.stream(rows[r]).sum();
      int[] kept = new int[n];
      int[] keptLabels = new int[n];
      int to = 0;
      for (int t = 0; t < tokens.length; t++) {
        if (rows[r][t] == 1) {
          kept[to] = tokens[t];
          keptLabels[to++] = targets[t];
        }
      }
      examples.add(new Example(kept, keptLabels, json.file() + " row " + r));
    }
    masks.add(rows);
    return examples;
  }

  private static AdapterShape shape(GoldenJson json) {
    JsonNode experts = json.require("num_experts");
    int[] topK = GoldenJson.ints(json.require("top_k"));
    int[] rank = GoldenJson.ints(json.require("rank"));
    List<AdapterShape.Layer> layers = new ArrayList<>();
    for (int l = 0; l < experts.size(); l++) {
      Map<Projection, Integer> map = new EnumMap<>(Projection.class);
      for (Projection p : Projection.values()) {
        JsonNode n = experts.get(l);
        map.put(p, n.isObject() ? json.require(n, p.shortName()).asInt() : n.asInt());
      }
      layers.add(new AdapterShape.Layer(map, rank[l], topK[l]));
    }
    return new AdapterShape(layers, json.require("alpha").asDouble(), 0);
  }

  private static BalanceLoss balance(GoldenJson json) {
    String variant = json.require("aux_variant").asString();
    return switch (variant) {
      case "masked" -> BalanceLoss.MASKED;
      case "masked_per_module" -> BalanceLoss.MASKED_PER_MODULE;
      case "authors" -> BalanceLoss.AUTHORS;
      case "none" -> BalanceLoss.NONE;
      default -> throw new MalformedFileException(json.file(), "unknown aux_variant " + variant);
    };
  }
}
