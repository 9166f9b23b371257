package io.mola.core.model;

import io.mola.core.backend.AttentionOps.Direction;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.Projection.Group;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.List;

/**
 * One sequence with a key-value cache: tokens are appended, the logits of the last one come back.
 * Prompts run in chunks of {@code chunk} rows, further tokens one by one.
 */
public final class InferenceSession implements AutoCloseable {
  private final Transformer model;
  private final LinearHook hook;
  private final Backend backend;
  private final ModelConfig config;
  private final Region region;
  private final int capacity;
  private final int chunk;
  private int length;

  /**
   * @param capacity longest sequence, prompt and answer together
   * @param chunk rows of a prompt that run at a time
   */
  public InferenceSession(Transformer model, LinearHook hook, int capacity, int chunk) {
    this.model = model;
    this.hook = hook;
    this.capacity = capacity;
    this.chunk = Math.min(chunk, capacity);
    backend = model.backend();
    config = model.config();
    region = backend.memory().allocate(plan(config, capacity, this.chunk));
    backend.memory().upload(RotaryTable.of(config, capacity), region.tensor("rotary"));
  }

  /** The slots of a session. */
  public static MemoryPlan plan(ModelConfig c, int capacity, int chunk) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    int key = c.kvHeads() * c.headDim();
    int query = c.heads() * c.headDim();
    for (int l = 0; l < c.layers(); l++) {
      plan.activation("k" + l, capacity, key).activation("v" + l, capacity, key);
    }
    return plan.f32("rotary", capacity, c.headDim())
        .i32("tokens", chunk, 1)
        .i32("positions", chunk, 1)
        .activation("x", chunk, c.hiddenSize())
        .activation("middle", chunk, c.hiddenSize())
        .activation("normed", chunk, c.hiddenSize())
        .f32("rstd", chunk, 1)
        .activation("q", chunk, query)
        .activation("attended", chunk, query)
        .activation("gate", chunk, c.intermediateSize())
        .activation("up", chunk, c.intermediateSize())
        .activation("activation", chunk, c.intermediateSize())
        .f32("logits", 1, c.vocabularySize())
        .build();
  }

  /** Tokens so far. */
  public int length() {
    return length;
  }

  /** Tokens that still fit. */
  public int room() {
    return capacity - length;
  }

  /** Forgets everything after the first {@code tokens} tokens. */
  public void truncate(int tokens) {
    if (tokens < 0 || tokens > length) {
      throw new IllegalArgumentException(tokens + " of " + length + " tokens");
    }
    length = tokens;
  }

  /**
   * Appends tokens and gives the logits that follow the last one.
   *
   * @param tokens at least one
   * @param logits receives V values
   * @throws IllegalArgumentException if they do not fit
   */
  public void append(int[] tokens, float[] logits) {
    if (tokens.length == 0 || tokens.length > room()) {
      throw new IllegalArgumentException(tokens.length + " tokens, room for " + room());
    }
    for (int from = 0; from < tokens.length; from += chunk) {
      int m = Math.min(chunk, tokens.length - from);
      run(tokens, from, m);
      length += m;
      if (from + m == tokens.length) {
        head(m, logits);
      }
    }
  }

  private void run(int[] tokens, int from, int m) {
    int[] ids = new int[m];
    int[] at = new int[m];
    for (int i = 0; i < m; i++) {
      ids[i] = tokens[from + i];
      at[i] = length + i;
    }
    IntTensor device = region.ints("tokens").top(m);
    IntTensor positions = region.ints("positions").top(m);
    backend.memory().upload(ids, device);
    backend.memory().upload(at, positions);
    Tensor x = top("x", m);
    backend.linear().embed(device, model.embedding(), x);
    for (int l = 0; l < config.layers(); l++) {
      attention(l, x, positions);
      feedForward(l, x);
    }
  }

  private void attention(int l, Tensor x, IntTensor positions) {
    int m = x.rows();
    Tensor normed = top("normed", m);
    Tensor q = top("q", m);
    Tensor attended = top("attended", m);
    Tensor middle = top("middle", m);
    Tensor keys = region.tensor("k" + l);
    Tensor values = region.tensor("v" + l);
    long offset = (long) length * keys.cols();
    Tensor k = keys.slice(offset, m, keys.cols());
    Tensor v = values.slice(offset, m, values.cols());
    Transformer.Layer layer = model.layer(l);
    backend.norm().rmsForward(x, layer.attentionNorm(), model.epsilon(), normed, top("rstd", m));
    project(l, Group.QKV, normed, List.of(q, k, v));
    backend.attention().rotate(q, region.tensor("rotary"), positions, Direction.FORWARD);
    backend.attention().rotate(k, region.tensor("rotary"), positions, Direction.FORWARD);
    backend
        .attention()
        .forwardCached(
            q, keys.top(length + m), values.top(length + m), length, model.attention(), attended);
    project(l, Group.O, attended, List.of(middle));
    backend.activation().add(x, middle);
  }

  private void feedForward(int l, Tensor x) {
    int m = x.rows();
    Tensor middle = top("middle", m);
    Tensor normed = top("normed", m);
    Tensor gate = top("gate", m);
    Tensor up = top("up", m);
    Tensor activation = top("activation", m);
    backend
        .norm()
        .rmsForward(
            middle, model.layer(l).feedForwardNorm(), model.epsilon(), normed, top("rstd", m));
    project(l, Group.GATE_UP, normed, List.of(gate, up));
    backend.activation().swigluForward(gate, up, activation);
    project(l, Group.DOWN, activation, List.of(x));
    backend.activation().add(middle, x);
  }

  private void head(int m, float[] logits) {
    Tensor x =
        region.tensor("x").slice((long) (m - 1) * config.hiddenSize(), 1, config.hiddenSize());
    Tensor normed = top("normed", 1);
    backend.norm().rmsForward(x, model.finalNorm(), model.epsilon(), normed, top("rstd", 1));
    backend.linear().forward(normed, List.of(model.head()), List.of(region.tensor("logits")));
    backend.memory().download(region.tensor("logits"), logits);
  }

  private void project(int l, Group group, Tensor x, List<Tensor> ys) {
    hook.forward(l, group, Pass.INFERENCE, x, model.layer(l).weights(group), ys);
  }

  private Tensor top(String name, int rows) {
    return region.tensor(name).top(rows);
  }

  @Override
  public void close() {
    region.close();
  }
}
