package io.mola.core.model;

import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * Loss and gradients of one micro-batch through the whole model.
 *
 * <p><b>What is kept.</b> The input of every block (the residual stream), and for the upper {@link
 * PassLimits#keptBlocks} blocks all of {@link BlockActivations}. The blocks below share the set of
 * the lowest of those; their backward pass runs the block forward once more (Chen et al. 2016,
 * "Training deep nets with sublinear memory cost").
 *
 * <p><b>Labelled rows only.</b> Final norm and head run on the rows that carry a label. So does the
 * last block's feed-forward half, unless the hook needs to see every row.
 *
 * <p><b>Where the backward pass stops.</b> At the input of the lowest layer with something to
 * train.
 */
public final class TrainingPass {
  private static final String INPUT = "residual";
  private static final String KEPT = "block";

  private final Transformer model;
  private final LinearHook hook;
  private final Region region;
  private final Backend backend;
  private final ModelConfig config;
  private final PassLimits limits;
  private final List<Block> blocks = new ArrayList<>();
  private final List<BlockActivations> kept = new ArrayList<>();
  private final BlockScratch scratch;

  /** The batch of the last forward pass. */
  private Flow flow;

  /**
   * The views of one micro-batch.
   *
   * @param batch its tokens on the device
   * @param at positions
   * @param n tokens
   * @param m labelled rows
   * @param fewRows whether the last feed-forward half runs on the m labelled rows
   * @param top [m, d] input of the final norm
   */
  private record Flow(
      DeviceBatch batch, Block.Place at, int n, int m, boolean fewRows, Tensor top) {}

  /**
   * @param region made from a plan that {@link #plan} has contributed to with the same limits
   */
  public TrainingPass(Transformer model, LinearHook hook, Region region, PassLimits limits) {
    this.model = model;
    this.hook = hook;
    this.region = region;
    this.limits = limits;
    backend = model.backend();
    config = model.config();
    for (int l = 0; l < config.layers(); l++) {
      blocks.add(new Block(model, hook, l));
    }
    for (int s = 0; s < limits.keptBlocks(); s++) {
      kept.add(BlockActivations.of(region, KEPT + s + "."));
    }
    scratch = BlockScratch.of(region);
    backend.memory().upload(RotaryTable.of(config, limits.positions()), region.tensor("rotary"));
    flow = begin(emptyBatch());
  }

  /** Adds the slots of this pass. */
  public static void plan(MemoryPlan.Builder plan, ModelConfig config, PassLimits limits) {
    int n = limits.tokens();
    int d = config.hiddenSize();
    DeviceBatch.plan(plan, n, limits.labelled());
    plan.f32("rotary", limits.positions(), config.headDim());
    for (int l = 0; l <= config.layers(); l++) {
      plan.activation(INPUT + l, n, d);
    }
    for (int s = 0; s < limits.keptBlocks(); s++) {
      BlockActivations.plan(plan, KEPT + s + ".", config, n);
    }
    BlockScratch.plan(plan, config, n);
    plan.activation("gradient", n, d)
        .activation("labelled.hidden", limits.labelled(), d)
        .activation("labelled.middle", limits.labelled(), d)
        .activation("labelled.normed", limits.labelled(), d)
        .activation("labelled.gradient", limits.labelled(), d)
        .activation("labelled.dNormed", limits.labelled(), d)
        .f32("labelled.rstd", limits.labelled(), 1)
        .f32("logits", Math.min(limits.headRows(), limits.labelled()), config.vocabularySize());
  }

  private static TokenBatch emptyBatch() {
    int[] one = {0};
    return new TokenBatch(one, one, new int[] {0, 0, 0, 1}, one, new int[0], one, one, 0, 0);
  }

  /**
   * Uploads the batch, so that the hook can be told of it before {@link #forward}.
   *
   * @return its tensors on the device
   * @throws IllegalArgumentException if it is larger than planned
   */
  public DeviceBatch upload(TokenBatch batch) {
    if (batch.size() > limits.tokens() || batch.labelled() > limits.labelled()) {
      throw new IllegalArgumentException(
          batch.size()
              + " tokens with "
              + batch.labelled()
              + " labels, planned for "
              + limits.tokens()
              + " with "
              + limits.labelled());
    }
    flow = begin(batch);
    return flow.batch();
  }

  private Flow begin(TokenBatch batch) {
    int n = batch.size();
    int m = batch.labelled();
    DeviceBatch device = DeviceBatch.upload(backend.memory(), region, batch);
    Block.Place at = new Block.Place(device.positions(), device.spans(), region.tensor("rotary"));
    boolean few = m > 0 && hook.maySkipUnlabelledRows();
    return new Flow(device, at, n, m, few, region.tensor("labelled.hidden").top(Math.max(1, m)));
  }

  /**
   * {@code loss[1,1] += Σ weight · (−log p(target))} over the labelled rows of the uploaded batch.
   * With {@link Pass#FORWARD} {@link #backward} may follow.
   *
   * @param factor of the gradient: 1 / targets of the effective batch
   */
  public void forward(Pass pass, float factor, Tensor loss) {
    hidden(pass);
    Tensor normed = finalNorm();
    backend
        .loss()
        .crossEntropyHead(
            normed,
            model.head(),
            flow.batch().targets(),
            flow.batch().targetWeights(),
            factor,
            region.tensor("logits"),
            loss,
            pass == Pass.FORWARD ? region.tensor("labelled.dNormed").top(flow.m()) : null);
  }

  /**
   * {@code logits[m, V]} of the labelled rows of the uploaded batch, on the host.
   *
   * @param to receives m rows of V
   */
  public void logits(float[] to) {
    hidden(Pass.INFERENCE);
    finalNorm();
    eachLogits(
        (row, logits) -> System.arraycopy(logits, 0, to, row * logits.length, logits.length));
  }

  /** Receives the logits of a labelled row. */
  public interface LogitRow {
    /**
     * Called for row 0, 1, ...
     *
     * @param logits V values; the array is used again for the next row
     */
    void accept(int row, float[] logits);
  }

  /** {@code logits[m, V]} of the labelled rows of the last {@link #forward}, row by row. */
  public void eachLogits(LogitRow to) {
    Tensor normed = region.tensor("labelled.normed").top(flow.m());
    Tensor chunk = region.tensor("logits");
    float[] logits = new float[chunk.cols()];
    for (int r = 0; r < flow.m(); r += chunk.rows()) {
      int count = Math.min(chunk.rows(), flow.m() - r);
      Tensor part = normed.slice((long) r * normed.cols(), count, normed.cols());
      backend.linear().forward(part, List.of(model.head()), List.of(chunk.top(count)));
      for (int i = 0; i < count; i++) {
        backend.memory().download(chunk.slice((long) i * chunk.cols(), 1, chunk.cols()), logits);
        to.accept(r + i, logits);
      }
    }
  }

  private void hidden(Pass pass) {
    int layers = config.layers();
    backend.linear().embed(flow.batch().tokens(), model.embedding(), input(0));
    for (int l = 0; l < layers; l++) {
      BlockActivations a = activations(l);
      blocks.get(l).attentionForward(pass, input(l), a, scratch, flow.at());
      if (l == layers - 1 && flow.fewRows()) {
        Tensor middle = region.tensor("labelled.middle").top(flow.m());
        backend.activation().gatherRows(a.middle(), flow.batch().labelledRows(), middle);
        blocks.get(l).feedForward(pass, middle, a, scratch, flow.top());
      } else {
        blocks.get(l).feedForward(pass, a.middle(), a, scratch, input(l + 1));
      }
    }
    if (!flow.fewRows()) {
      backend.activation().gatherRows(input(layers), flow.batch().labelledRows(), flow.top());
    }
  }

  private Tensor finalNorm() {
    Tensor normed = region.tensor("labelled.normed").top(flow.m());
    Tensor rstd = region.tensor("labelled.rstd").top(flow.m());
    backend.norm().rmsForward(flow.top(), model.finalNorm(), model.epsilon(), normed, rstd);
    return normed;
  }

  /** Gradients of the last {@link #forward}; the hook accumulates those it trains. */
  public void backward() {
    int layers = config.layers();
    int lowest = hook.lowestTrainedLayer();
    Tensor g = region.tensor("gradient").top(flow.n());
    Tensor labelled = region.tensor("labelled.gradient").top(flow.m());
    backend.activation().zero(labelled);
    backend
        .norm()
        .rmsBackward(
            region.tensor("labelled.dNormed").top(flow.m()),
            flow.top(),
            model.finalNorm(),
            region.tensor("labelled.rstd").top(flow.m()),
            labelled);
    if (flow.fewRows()) {
      Tensor middle = region.tensor("labelled.middle").top(flow.m());
      blocks
          .get(layers - 1)
          .feedForwardBackward(labelled, middle, activations(layers - 1), scratch);
    }
    backend.activation().zero(g);
    backend.activation().scatterAddRows(labelled, flow.batch().labelledRows(), g);
    for (int l = layers - 1; l >= lowest; l--) {
      BlockActivations a = activations(l);
      if (l < layers - limits.keptBlocks()) {
        blocks.get(l).attentionForward(Pass.RECOMPUTE, input(l), a, scratch, flow.at());
        blocks.get(l).feedForwardInner(Pass.RECOMPUTE, a.middle(), a, scratch);
      }
      if (l < layers - 1 || !flow.fewRows()) {
        blocks.get(l).feedForwardBackward(g, a.middle(), a, scratch);
      }
      blocks.get(l).attentionBackward(g, input(l), a, scratch, flow.at(), l == lowest);
    }
  }

  private Tensor input(int layer) {
    return region.tensor(INPUT + layer).top(flow.n());
  }

  private BlockActivations activations(int layer) {
    int layers = config.layers();
    int set = Math.max(0, layer - (layers - limits.keptBlocks()));
    boolean few = layer == layers - 1 && flow.fewRows();
    return kept.get(set).top(flow.n(), few ? flow.m() : flow.n());
  }
}
