package io.mola.core.adapter;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Experts;
import io.mola.core.backend.Region;
import io.mola.core.failure.UsageException;
import io.mola.core.model.Projection;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The terms of the balance loss: which routers share one, and how much each weighs in its layer.
 *
 * <p>One term per layer (its routers then need equal N and K), or one per router with weight 1 /
 * the number of routers of the layer. A layer without routers has no term.
 */
public final class BalanceTerms {
  private final BalanceLoss kind;

  /** Terms by layer and projection; several projections of a layer may share one. */
  private final Map<Router, Term> terms = new LinkedHashMap<>();

  private record Router(int layer, Projection projection) {}

  private record Term(String slot, int layer, int experts, int topK, float weight) {}

  /**
   * Picks of one term.
   *
   * @param layer of the term
   * @param projection of the term; null if it is the whole layer
   * @param counts per expert
   */
  public record Picks(int layer, @Nullable Projection projection, long[] counts) {}

  /**
   * @throws UsageException if routers that should share a term have different N
   */
  BalanceTerms(AdapterParameters adapter, BalanceLoss kind) {
    this.kind = kind;
    if (kind == BalanceLoss.NONE) {
      return;
    }
    List<AdapterShape.Layer> layers = adapter.shape().layers();
    for (int l = 0; l < layers.size(); l++) {
      addLayer(l, layers.get(l));
    }
  }

  private void addLayer(int l, AdapterShape.Layer layer) {
    List<Projection> routed = new ArrayList<>();
    for (Projection p : Projection.values()) {
      if (layer.experts(p) > 1) {
        routed.add(p);
      }
    }
    boolean perModule = kind == BalanceLoss.MASKED_PER_MODULE;
    for (Projection p : routed) {
      int n = layer.experts(p);
      if (!perModule && n != layer.experts(routed.getFirst())) {
        throw new UsageException(
            "layer %d: %s has %d experts and %s has %d, so they cannot share a balance loss; use --router-aux-loss-type masked-per-module"
                .formatted(
                    l,
                    routed.getFirst().shortName(),
                    layer.experts(routed.getFirst()),
                    p.shortName(),
                    n));
      }
      String slot = "balance" + l + (perModule ? "." + p.shortName() : "");
      float weight = perModule ? 1f / routed.size() : 1;
      terms.put(new Router(l, p), new Term(slot, l, n, layer.topK(p), weight));
    }
  }

  private List<Term> distinct() {
    return terms.values().stream().distinct().toList();
  }

  void plan(MemoryPlan.Builder plan) {
    distinct().forEach(term -> plan.f32(term.slot(), 2, term.experts()));
  }

  void clear(Backend backend, Region region) {
    distinct().forEach(term -> backend.activation().zero(region.tensor(term.slot())));
  }

  boolean counts(int layer, Projection.Group group) {
    return group.members().stream().anyMatch(p -> terms.containsKey(new Router(layer, p)));
  }

  void count(
      Backend backend,
      Region region,
      int layer,
      Projection.Group group,
      Experts experts,
      State state,
      IntTensor rowWeights) {
    for (int i = 0; i < group.members().size(); i++) {
      Term term = terms.get(new Router(layer, group.members().get(i)));
      if (term != null) {
        backend
            .routers()
            .statistics(
                Objects.requireNonNull(state.logits()),
                Objects.requireNonNull(state.gates()),
                rowWeights,
                experts.members().get(i).expertOffset(),
                region.tensor(term.slot()));
      }
    }
  }

  void addLosses(Backend backend, Region region, float share, Tensor aux) {
    for (Term term : distinct()) {
      backend
          .routers()
          .balanceLoss(
              region.tensor(term.slot()), share * term.weight(), aux.slice(term.layer(), 1, 1));
    }
  }

  void startGradient(
      Backend backend,
      Region region,
      int layer,
      Projection.Group group,
      Experts experts,
      State state,
      IntTensor rowWeights,
      float factor,
      Tensor dLogits) {
    for (int i = 0; i < group.members().size(); i++) {
      Term term = terms.get(new Router(layer, group.members().get(i)));
      if (term != null) {
        backend
            .routers()
            .balanceBackward(
                Objects.requireNonNull(state.logits()),
                rowWeights,
                experts.members().get(i).expertOffset(),
                term.topK(),
                region.tensor(term.slot()),
                factor * term.weight(),
                dLogits);
      }
    }
  }

  List<Picks> picks(Backend backend, Region region) {
    Map<String, Picks> picks = new LinkedHashMap<>();
    terms.forEach((router, term) -> {
      float[] values = new float[2 * term.experts()];
      backend.memory().download(region.tensor(term.slot()), values);
      long[] counts = new long[term.experts()];
      for (int e = 0; e < counts.length; e++) {
        counts[e] = (long) values[e];
      }
      boolean perModule = kind == BalanceLoss.MASKED_PER_MODULE;
      picks.put(
          term.slot(), new Picks(router.layer(), perModule ? router.projection() : null, counts));
    });
    return List.copyOf(picks.values());
  }
}
