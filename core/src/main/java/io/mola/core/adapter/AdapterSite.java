package io.mola.core.adapter;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Region;
import io.mola.core.model.Projection;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An adapted group of projections in a layer: views that stay the same for the life of a region.
 * They are made once, since every step and every generated token needs all of them.
 *
 * @param experts parameters
 * @param gradients of the parameters; null for inference
 * @param buffers z, logits and gates for the most rows there can be
 */
record AdapterSite(Experts experts, @Nullable Experts gradients, Buffers buffers) {
  private static final String SHARED = "adapter.shared.";

  /** Where z, logits and gates of a group lie; logits and gates are null if nothing is routed. */
  record Buffers(int rank, int routed, Tensor z, @Nullable Tensor logits, @Nullable Tensor gates) {
    /** The first rows, in the layout of so many rows. */
    State rows(int rows) {
      return new State(
          z.slice(0, rows, rank),
          logits == null ? null : logits.slice(0, rows, routed),
          gates == null ? null : gates.slice(0, rows, routed));
    }
  }

  /** All sites, by layer. */
  static List<Map<Projection.Group, AdapterSite>> all(
      AdapterParameters adapter, Region region, Tensor parameters, @Nullable Tensor gradients) {
    List<Map<Projection.Group, AdapterSite>> sites = new ArrayList<>();
    for (int layer = 0; layer < adapter.config().layers(); layer++) {
      Map<Projection.Group, AdapterSite> ofLayer = new EnumMap<>(Projection.Group.class);
      for (Projection.Group group : Projection.Group.values()) {
        Optional<Experts> experts = adapter.experts(parameters, layer, group);
        if (experts.isPresent()) {
          Experts into =
              gradients == null ? null : adapter.experts(gradients, layer, group).orElseThrow();
          String prefix = gradients == null ? SHARED : slot(layer, group);
          Buffers buffers =
              buffers(
                  region, prefix, adapter.stackedRank(layer, group), adapter.routed(layer, group));
          ofLayer.put(group, new AdapterSite(experts.get(), into, buffers));
        }
      }
      sites.add(ofLayer);
    }
    return sites;
  }

  private static Buffers buffers(Region region, String prefix, int rank, int routed) {
    return new Buffers(
        rank,
        routed,
        region.tensor(prefix + "z"),
        routed == 0 ? null : region.tensor(prefix + "logits"),
        routed == 0 ? null : region.tensor(prefix + "gates"));
  }

  /** The buffers that all groups share in inference, seen as those of this site. */
  Buffers shared(Region region) {
    return buffers(region, SHARED, buffers.rank, buffers.routed);
  }

  /** Adds z, logits and gates of every group, for training. */
  static void plan(MemoryPlan.Builder plan, AdapterParameters adapter, int rows) {
    for (int layer = 0; layer < adapter.config().layers(); layer++) {
      for (Projection.Group group : Projection.Group.values()) {
        int rank = adapter.stackedRank(layer, group);
        add(plan, slot(layer, group), rows, rank, adapter.routed(layer, group));
      }
    }
  }

  /** Adds one z, logits and gates for all groups, for inference. */
  static void planShared(MemoryPlan.Builder plan, AdapterParameters adapter, int rows) {
    int rank = 0;
    int routed = 0;
    for (int layer = 0; layer < adapter.config().layers(); layer++) {
      for (Projection.Group group : Projection.Group.values()) {
        rank = Math.max(rank, adapter.stackedRank(layer, group));
        routed = Math.max(routed, adapter.routed(layer, group));
      }
    }
    add(plan, SHARED, rows, rank, routed);
  }

  private static void add(MemoryPlan.Builder plan, String prefix, int rows, int rank, int routed) {
    if (rank > 0) {
      plan.f32(prefix + "z", rows, rank);
    }
    if (routed > 0) {
      plan.f32(prefix + "logits", rows, routed).f32(prefix + "gates", rows, routed);
    }
  }

  private static String slot(int layer, Projection.Group group) {
    return "adapter" + layer + "." + group.label() + ".";
  }
}
