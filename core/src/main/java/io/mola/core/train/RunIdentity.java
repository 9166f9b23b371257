package io.mola.core.train;

import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.data.Example;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Everything that decides the bytes of a run's result, by the names of its settings: two runs with
 * equal identities end with equal adapters. Threads, memory and recomputation do not belong to it.
 *
 * @param values in the order in which differences are named
 */
public record RunIdentity(Map<String, String> values) {
  /** Copies the map and keeps its order. */
  public RunIdentity {
    values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /**
   * The identity of a run.
   *
   * @param baseFingerprint {@link io.mola.core.weights.WeightSource#fingerprint}
   * @param steps of the whole run
   */
  static RunIdentity of(FineTuneRequest request, String baseFingerprint, int steps) {
    Map<String, String> values = new LinkedHashMap<>();
    values.put("base_model", "fingerprint " + baseFingerprint);
    AdapterShape shape = request.shape();
    values.put("adapter", request.start().map(RunIdentity::startOf).orElse("none"));
    values.put(
        "num_experts, lora_r, top_k", ExpertAllocation.describe(shape, request.source().config()));
    values.put("lora_alpha", number(shape.alpha()));
    values.put("lora_dropout", number(shape.dropout()));
    values.put(
        "router_aux_loss_type",
        request.balanceLoss().name().toLowerCase(Locale.ROOT).replace('_', '-'));
    values.put("router_aux_loss_coef", number(request.balanceCoefficient()));
    values.put("data_path", dataOf(request.training()));
    values.put("batch_size", Integer.toString(request.batchSize()));
    values.put("micro_batch_size", Integer.toString(request.microBatchSize()));
    values.put("share_prefix", Boolean.toString(request.prefixes() == Prefixes.SHARED));
    values.put("steps (max_steps, num_epochs)", Integer.toString(steps));
    values.put("seed", Long.toString(request.seed()));
    addOptimizer(request.optimizer(), values);
    return new RunIdentity(values);
  }

  private static void addOptimizer(OptimizerConfig optimizer, Map<String, String> values) {
    values.put("learning_rate", number(optimizer.learningRate()));
    values.put(
        "lr_scheduler_type",
        optimizer.schedule().name().toLowerCase(Locale.ROOT).replace('_', '-'));
    values.put("warmup_steps", Integer.toString(optimizer.warmupSteps()));
    values.put("weight_decay", number(optimizer.weightDecay()));
    values.put("adam_beta1", number(optimizer.beta1()));
    values.put("adam_beta2", number(optimizer.beta2()));
    values.put("adam_epsilon", number(optimizer.epsilon()));
    values.put("max_grad_norm", number(optimizer.maxGradNorm()));
  }

  private static String number(double value) {
    return Double.toString(value);
  }

  private static String startOf(LoadedAdapter adapter) {
    MessageDigest digest = sha256();
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    for (float parameter : adapter.parameters()) {
      put(Float.floatToRawIntBits(parameter), buffer, digest);
    }
    return "SHA-256 " + finished(buffer, digest);
  }

  /** Order, tokens and labels; where the examples come from does not matter. */
  private static String dataOf(List<Example> examples) {
    MessageDigest digest = sha256();
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    for (Example example : examples) {
      put(example.length(), buffer, digest);
      for (int t = 0; t < example.length(); t++) {
        put(example.tokens()[t], buffer, digest);
        put(example.labels()[t], buffer, digest);
      }
    }
    return "%d examples, SHA-256 %s".formatted(examples.size(), finished(buffer, digest));
  }

  private static void put(int value, ByteBuffer buffer, MessageDigest digest) {
    if (buffer.remaining() < Integer.BYTES) {
      digest.update(buffer.flip());
      buffer.clear();
    }
    buffer.putInt(value);
  }

  private static String finished(ByteBuffer buffer, MessageDigest digest) {
    digest.update(buffer.flip());
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
