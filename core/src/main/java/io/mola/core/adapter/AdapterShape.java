package io.mola.core.adapter;

import io.mola.core.model.Projection;
import io.mola.core.weights.ModelConfig;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * How many experts of which rank every projection of every layer has: the resolved form, one entry
 * per layer. N = 0 means no adapter on that projection, N = 1 plain LoRA without a router.
 *
 * @param layers lowest first
 * @param alpha numerator of the scale alpha / r
 * @param dropout probability on the experts' input
 */
public record AdapterShape(List<Layer> layers, double alpha, double dropout) {
  /** Copies the list. */
  public AdapterShape {
    layers = List.copyOf(layers);
  }

  /**
   * One layer.
   *
   * @param experts N per projection; a projection that is missing has no adapter
   * @param rank r of all its experts
   * @param topK K; a projection takes min(K, N)
   */
  public record Layer(Map<Projection, Integer> experts, int rank, int topK) {
    /** Copies the map. */
    public Layer {
      experts = Map.copyOf(experts);
    }

    /** N of the projection, 0 if it has no adapter. */
    public int experts(Projection projection) {
      return experts.getOrDefault(projection, 0);
    }

    /** K of the projection: min(K, N). */
    public int topK(Projection projection) {
      return Math.min(topK, experts(projection));
    }

    /** Whether all adapted projections have the same N. */
    public boolean isUniform() {
      return experts.values().stream().filter(n -> n > 0).distinct().count() <= 1;
    }
  }

  /** alpha / r of the layer. */
  public float scale(int layer) {
    return (float) (alpha / layers.get(layer).rank());
  }

  /**
   * Exact number of trainable parameters: per expert r (in + out), per router N · in where N > 1.
   */
  public long parameters(ModelConfig config) {
    long sum = 0;
    for (Layer layer : layers) {
      for (Projection projection : Projection.values()) {
        long n = layer.experts(projection);
        sum += n * layer.rank() * ((long) projection.in(config) + projection.out(config));
        if (n > 1) {
          sum += n * projection.in(config);
        }
      }
    }
    return sum;
  }

  /** The same N, r and K for the given projections of a layer. */
  public static Layer uniformLayer(List<Projection> targets, int experts, int rank, int topK) {
    Map<Projection, Integer> map = new EnumMap<>(Projection.class);
    targets.forEach(projection -> map.put(projection, experts));
    return new Layer(map, rank, topK);
  }
}
