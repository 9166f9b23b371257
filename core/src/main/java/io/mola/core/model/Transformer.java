package io.mola.core.model;

import io.mola.core.backend.AttentionShape;
import io.mola.core.backend.Backend;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import io.mola.core.weights.WeightNames;
import io.mola.core.weights.WeightSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A frozen Llama-like decoder on a backend: embedding, blocks of attention and gated feed-forward,
 * final norm, head (Touvron et al. 2023). It owns what it loads and borrows the weight source,
 * which must stay open.
 */
public final class Transformer implements AutoCloseable {
  private final Backend backend;
  private final ModelConfig config;
  private final AttentionShape attention;
  private final FrozenMatrix embedding;
  private final FrozenMatrix head;
  private final List<Layer> layers;
  private final Region norms;

  /**
   * Frozen parts of one block.
   *
   * @param attentionNorm gain [1, d] before attention
   * @param feedForwardNorm gain [1, d] before the feed-forward part
   * @param groups matrices by input group
   */
  record Layer(
      Tensor attentionNorm,
      Tensor feedForwardNorm,
      Map<Projection.Group, List<FrozenMatrix>> groups) {
    List<FrozenMatrix> weights(Projection.Group group) {
      return groups.getOrDefault(group, List.of());
    }
  }

  private Transformer(Backend backend, WeightSource source) {
    this.backend = backend;
    config = source.config();
    attention =
        new AttentionShape(
            config.heads(),
            config.kvHeads(),
            config.headDim(),
            config.slidingWindow() == 0 ? Integer.MAX_VALUE : config.slidingWindow());
    norms = backend.memory().allocate(normPlan(config));
    uploadNorms(source);
    int d = config.hiddenSize();
    int v = config.vocabularySize();
    embedding = backend.memory().load(source.matrix(WeightNames.EMBEDDING, v, d));
    head =
        config.tiedEmbeddings()
            ? embedding
            : backend.memory().load(source.matrix(WeightNames.HEAD, v, d));
    layers = new ArrayList<>();
    for (int l = 0; l < config.layers(); l++) {
      layers.add(loadLayer(source, l));
    }
  }

  /**
   * Loads the model.
   *
   * @throws MalformedFileException if a tensor is missing, of another shape, or a norm is not
   *     finite
   */
  public static Transformer load(Backend backend, WeightSource source) {
    return new Transformer(backend, source);
  }

  /** The slots of all norm gains. */
  public static MemoryPlan normPlan(ModelConfig config) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    int d = config.hiddenSize();
    for (int l = 0; l < config.layers(); l++) {
      plan.f32(WeightNames.inLayer(l, WeightNames.ATTENTION_NORM), 1, d);
      plan.f32(WeightNames.inLayer(l, WeightNames.FEED_FORWARD_NORM), 1, d);
    }
    return plan.f32(WeightNames.FINAL_NORM, 1, d).build();
  }

  private void uploadNorms(WeightSource source) {
    for (MemoryPlan.Slot slot : norms.plan().slots()) {
      StoredMatrix gain = source.matrix(slot.name(), 1, slot.cols());
      float[] values = new float[slot.cols()];
      RowDecoder.decodeRow(gain, 0, values, 0);
      for (float value : values) {
        if (!Float.isFinite(value)) {
          throw new MalformedFileException(
              source.path(), slot.name() + " has a value that is not finite");
        }
      }
      backend.memory().upload(values, norms.tensor(slot.name()));
    }
  }

  private Layer loadLayer(WeightSource source, int l) {
    Map<Projection.Group, List<FrozenMatrix>> groups = new EnumMap<>(Projection.Group.class);
    for (Projection.Group group : Projection.Group.values()) {
      List<FrozenMatrix> matrices = new ArrayList<>();
      for (Projection p : group.members()) {
        String name = WeightNames.inLayer(l, p.path());
        matrices.add(backend.memory().load(source.matrix(name, p.out(config), p.in(config))));
      }
      groups.put(group, List.copyOf(matrices));
    }
    return new Layer(
        norms.tensor(WeightNames.inLayer(l, WeightNames.ATTENTION_NORM)),
        norms.tensor(WeightNames.inLayer(l, WeightNames.FEED_FORWARD_NORM)),
        groups);
  }

  /** Where it computes. */
  public Backend backend() {
    return backend;
  }

  /** Hyper-parameters. */
  public ModelConfig config() {
    return config;
  }

  AttentionShape attention() {
    return attention;
  }

  Layer layer(int l) {
    return layers.get(l);
  }

  float epsilon() {
    return (float) config.rmsEpsilon();
  }

  FrozenMatrix embedding() {
    return embedding;
  }

  FrozenMatrix head() {
    return head;
  }

  Tensor finalNorm() {
    return norms.tensor(WeightNames.FINAL_NORM);
  }

  @Override
  public void close() {
    for (Layer layer : layers) {
      layer.groups().values().forEach(matrices -> matrices.forEach(FrozenMatrix::close));
    }
    if (!config.tiedEmbeddings()) {
      head.close();
    }
    embedding.close();
    norms.close();
  }
}
