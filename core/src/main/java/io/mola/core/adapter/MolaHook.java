package io.mola.core.adapter;

import io.mola.core.backend.AdapterOps.State;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Dropout;
import io.mola.core.backend.Experts;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.model.DeviceBatch;
import io.mola.core.model.LinearHook;
import io.mola.core.model.Projection;
import io.mola.core.model.TokenBatch;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The mixture of experts around every group of projections.
 *
 * <p><b>What is kept.</b> z, logits and gates of every layer and group: they are narrow (a few
 * hundred columns), and the backward pass needs them. Recomputation writes the same bits again.
 * Inference uses one set for all layers.
 *
 * <p><b>Balance loss.</b> The routers' picks and probabilities are collected while the forward pass
 * runs (not when a block is recomputed). {@link #finishForward} turns them into L per layer; the
 * backward pass starts the gradient of each group's logits with the balance part.
 */
public final class MolaHook implements LinearHook {
  private static final String LOGIT_GRADIENTS = "adapter.shared.dLogits";

  private final Backend backend;
  private final AdapterParameters adapter;
  private final Region region;
  private final List<Map<Projection.Group, AdapterSite>> sites;
  private final BalanceTerms balance;
  private final Settings settings;

  private @Nullable IntTensor rowWeights;
  private int step;
  private @Nullable TokenBatch batch;
  private boolean dropout;
  private float share;

  /**
   * How the adapter is trained.
   *
   * @param balanceLoss which routers share a term
   * @param coefficient of the balance loss
   * @param seed of dropout
   */
  public record Settings(BalanceLoss balanceLoss, double coefficient, long seed) {
    /** For inference: no balance loss. */
    public static final Settings INFERENCE = new Settings(BalanceLoss.NONE, 0, 0);
  }

  /**
   * An adapter in a region planned with {@link #plan} or {@link #inferencePlan}.
   *
   * @param parameters flat, [{@link AdapterParameters#rows}, {@link AdapterParameters#COLUMNS}]
   * @param gradients same shape; null for inference
   */
  public MolaHook(
      Backend backend,
      AdapterParameters adapter,
      Region region,
      Tensor parameters,
      @Nullable Tensor gradients,
      Settings settings) {
    this.backend = backend;
    this.adapter = adapter;
    this.region = region;
    this.settings = settings;
    sites = AdapterSite.all(adapter, region, parameters, gradients);
    balance = new BalanceTerms(adapter, settings.balanceLoss());
  }

  /** Adds the buffers for training with at most {@code tokens} rows. */
  public static void plan(
      MemoryPlan.Builder plan, AdapterParameters adapter, BalanceLoss balanceLoss, int tokens) {
    AdapterSite.plan(plan, adapter, tokens);
    int widest = 0;
    for (int layer = 0; layer < adapter.config().layers(); layer++) {
      for (Projection.Group group : Projection.Group.values()) {
        widest = Math.max(widest, adapter.routed(layer, group));
      }
    }
    if (widest > 0) {
      plan.f32(LOGIT_GRADIENTS, tokens, widest);
    }
    new BalanceTerms(adapter, balanceLoss).plan(plan);
  }

  /** Adds the buffers for inference on at most {@code rows} rows at a time. */
  public static void inferencePlan(MemoryPlan.Builder plan, AdapterParameters adapter, int rows) {
    AdapterSite.planShared(plan, adapter, rows);
  }

  /**
   * Begins a micro-batch.
   *
   * @param step optimiser step from 0
   * @param dropout whether dropout is on
   * @param share of this micro-batch in the tokens of the effective batch
   */
  public void begin(TokenBatch batch, DeviceBatch device, int step, boolean dropout, float share) {
    this.batch = batch;
    rowWeights = device.rowWeights();
    this.step = step;
    this.dropout = dropout;
    this.share = share;
    balance.clear(backend, region);
  }

  /** {@code aux[layer,1] += share · L_layer} for every layer, after the forward pass. */
  public void finishForward(Tensor aux) {
    balance.addLosses(backend, region, share, aux);
  }

  @Override
  public void forward(
      int layer,
      Projection.Group group,
      Pass pass,
      Tensor x,
      List<FrozenMatrix> weights,
      List<Tensor> ys) {
    AdapterSite site = sites.get(layer).get(group);
    if (site == null) {
      backend.linear().forward(x, weights, ys);
      return;
    }
    AdapterSite.Buffers buffers = pass == Pass.INFERENCE ? site.shared(region) : site.buffers();
    State state = buffers.rows(x.rows());
    Dropout mask = pass == Pass.INFERENCE ? Dropout.NONE : mask(layer, group, x.rows());
    backend.adapters().forward(x, weights, site.experts(), mask, state, ys);
    if (pass == Pass.FORWARD) {
      balance.count(backend, region, layer, group, site.experts(), state, counted(x.rows()));
    }
  }

  @Override
  public void backward(
      int layer,
      Projection.Group group,
      List<Tensor> dys,
      Tensor x,
      List<FrozenMatrix> weights,
      @Nullable Tensor dx) {
    AdapterSite site = sites.get(layer).get(group);
    if (site == null) {
      if (dx != null) {
        backend.linear().backward(dys, weights, dx);
      }
      return;
    }
    Experts experts = site.experts();
    Experts gradients = site.gradients();
    if (gradients == null) {
      throw new IllegalStateException("this adapter was opened for inference");
    }
    State state = site.buffers().rows(x.rows());
    Tensor dLogits = null;
    if (experts.routed() > 0) {
      dLogits = region.tensor(LOGIT_GRADIENTS).slice(0, x.rows(), experts.routed());
      backend.activation().zero(dLogits);
      float factor = (float) (settings.coefficient() * share);
      balance.startGradient(
          backend, region, layer, group, experts, state, counted(x.rows()), factor, dLogits);
    }
    Dropout mask = mask(layer, group, x.rows());
    backend.adapters().backward(dys, x, weights, experts, mask, state, gradients, dLogits, dx);
  }

  private IntTensor counted(int rows) {
    if (rowWeights == null) {
      throw new IllegalStateException("no micro-batch has begun");
    }
    return rowWeights.top(rows);
  }

  /**
   * The mask of a group. Rows are numbered through the effective batch, labelled rows (when only
   * they run) among themselves, so a row has the same mask however the batch is cut, as long as no
   * rows are shared. A shared row has one mask for all examples.
   */
  private Dropout mask(int layer, Projection.Group group, int rows) {
    double p = adapter.shape().dropout();
    if (!dropout || p == 0 || batch == null) {
      return Dropout.NONE;
    }
    long firstRow = rows == batch.size() ? batch.firstRow() : batch.firstLabelled();
    int stream = layer * Projection.Group.values().length + group.stream();
    return new Dropout((float) p, settings.seed(), step, stream, firstRow);
  }

  @Override
  public int lowestTrainedLayer() {
    for (int layer = 0; layer < adapter.config().layers(); layer++) {
      for (Projection.Group group : Projection.Group.values()) {
        if (adapter.adapts(layer, group)) {
          return layer;
        }
      }
    }
    return Integer.MAX_VALUE;
  }

  @Override
  public boolean maySkipUnlabelledRows() {
    int last = adapter.config().layers() - 1;
    return !balance.counts(last, Projection.Group.GATE_UP)
        && !balance.counts(last, Projection.Group.DOWN);
  }

  /** Picks per expert of the last micro-batch, by balance term; waits for the device. */
  public List<BalanceTerms.Picks> picks() {
    return balance.picks(backend, region);
  }
}
