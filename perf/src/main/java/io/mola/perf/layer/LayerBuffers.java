package io.mola.perf.layer;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.List;
import java.util.Random;

/** An open backend and the operands of all operations in it; the same numbers in every backend. */
final class LayerBuffers implements AutoCloseable {
  /** Rows of logits at a time, as in training. */
  static final int LOGIT_ROWS = 64;

  static final QuantType HEAD_TYPE = QuantType.Q8_0;

  private static final long SEED = 7;

  final Backend backend;
  final LayerShape shape;
  final FrozenMatrix head;
  private final Region region;

  LayerBuffers(String backendName, int threads, LayerShape shape) {
    this.shape = shape;
    backend = Backends.choose(backendName).open(new BackendSettings(threads, Long.MAX_VALUE));
    region = backend.memory().allocate(plan());
    head =
        backend
            .memory()
            .load(
                QuantisedMatrices.random(
                    HEAD_TYPE, shape.vocabulary(), shape.hidden(), RowOrder.PLAIN, SEED));
    fill();
  }

  private MemoryPlan plan() {
    int n = shape.tokens();
    int query = shape.attention().queryWidth();
    int key = shape.attention().keyWidth();
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    for (String name : List.of("x", "y", "dy", "dx")) {
      plan.activation(name, n, shape.hidden());
    }
    for (String name : List.of("q", "attended", "dAttended", "dq")) {
      plan.activation(name, n, query);
    }
    for (String name : List.of("k", "v", "dk", "dv")) {
      plan.activation(name, n, key);
    }
    for (String name : List.of("gate", "up", "wide", "dWide", "dGate", "dUp")) {
      plan.activation(name, n, shape.wide());
    }
    for (String name : List.of("parameter", "gradient", "m", "v2")) {
      plan.f32(name, 1, shape.parameters());
    }
    return plan.f32("gain", 1, shape.hidden())
        .f32("rstd", n, 1)
        .f32("lse", n, shape.attention().heads())
        .f32("delta", n, shape.attention().heads())
        .f32("table", shape.length(), shape.attention().headDim())
        .i32("positions", n, 1)
        .i32("spans", n, 4)
        .i32("targets", n, 1)
        .i32("weights", n, 1)
        .f32("logits", LOGIT_ROWS, shape.vocabulary())
        .f32("loss", 1, 1)
        .f32("norm", 1, 1)
        .build();
  }

  private void fill() {
    Random random = new Random(SEED);
    for (String name :
        List.of("x", "dy", "q", "k", "v", "dAttended", "gate", "up", "dWide", "gain")) {
      upload(name, 1, random);
    }
    upload("parameter", 0.02, random);
    upload("gradient", 0.01, random);
    int n = shape.tokens();
    int length = shape.length();
    int[] positions = new int[n];
    int[] spans = new int[4 * n];
    int[] targets = new int[n];
    int[] weights = new int[n];
    for (int t = 0; t < n; t++) {
      positions[t] = t % length;
      spans[4 * t + 2] = t - t % length;
      spans[4 * t + 3] = t - t % length + length;
      targets[t] = random.nextInt(shape.vocabulary());
      weights[t] = 1;
    }
    backend.memory().upload(positions, ints("positions"));
    backend.memory().upload(spans, ints("spans"));
    backend.memory().upload(targets, ints("targets"));
    backend.memory().upload(weights, ints("weights"));
    backend.memory().upload(rotations(), tensor("table"));
  }

  private void upload(String name, double deviation, Random random) {
    Tensor tensor = tensor(name);
    float[] values = HostTensor.random(tensor.rows(), tensor.cols(), deviation, random).values();
    backend.memory().upload(values, tensor);
  }

  /** Cosines, then sines, so that turning again and again keeps lengths. */
  private float[] rotations() {
    int half = shape.attention().headDim() / 2;
    float[] table = new float[shape.length() * 2 * half];
    for (int p = 0; p < shape.length(); p++) {
      for (int i = 0; i < half; i++) {
        double angle = p * Math.pow(10_000, -(double) i / half);
        table[p * 2 * half + i] = (float) Math.cos(angle);
        table[p * 2 * half + half + i] = (float) Math.sin(angle);
      }
    }
    return table;
  }

  Tensor tensor(String name) {
    return region.tensor(name);
  }

  IntTensor ints(String name) {
    return region.ints(name);
  }

  float[] fetch(String name) {
    Tensor tensor = tensor(name);
    float[] values = new float[tensor.rows() * tensor.cols()];
    backend.memory().download(tensor, values);
    return values;
  }

  @Override
  public void close() {
    head.close();
    region.close();
    backend.close();
  }
}
