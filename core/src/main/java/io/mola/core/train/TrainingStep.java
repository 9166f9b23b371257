package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.backend.Region;
import io.mola.core.model.DeviceBatch;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.List;

/**
 * One optimiser step over an effective batch of one or more micro-batches.
 *
 * <p>The gradient is that of
 *
 * <pre>{@code
 * (1/T) Σ over all T targets of −log p(target)  +  c · Σ over layers of L_layer
 * }</pre>
 *
 * so that the cross-entropy of an accumulated step is exactly that of the big batch. L is a product
 * of means over a micro-batch, so it depends on how the batch is cut: the L of a step is the mean
 * of the micro-batches' own L, weighted by their tokens.
 */
public final class TrainingStep {
  /** Slot of the trained parameters, in the layout of {@link AdapterParameters}. */
  public static final String PARAMETERS = "adapter.parameters";

  /** Slot of their gradients. */
  public static final String GRADIENTS = "adapter.gradients";

  static final String FIRST_MOMENT = "adapter.m";
  static final String SECOND_MOMENT = "adapter.v";
  private static final String REPORT = "step.report";
  private static final int LOSS = 0;
  private static final int NORM = 1;
  private static final int BALANCE = 2;

  private final Backend backend;
  private final TrainingPass pass;
  private final MolaHook hook;
  private final Tensor parameters;
  private final Tensor gradients;
  private final Tensor m;
  private final Tensor v;
  private final Tensor report;
  private final float[] host;
  private final OptimizerConfig optimizer;

  /**
   * @param region made from a plan to which {@link #plan} has contributed
   */
  public TrainingStep(
      Backend backend, TrainingPass pass, MolaHook hook, Region region, OptimizerConfig optimizer) {
    this.backend = backend;
    this.pass = pass;
    this.hook = hook;
    this.optimizer = optimizer;
    parameters = region.tensor(PARAMETERS);
    gradients = region.tensor(GRADIENTS);
    m = region.tensor(FIRST_MOMENT);
    v = region.tensor(SECOND_MOMENT);
    report = region.tensor(REPORT);
    host = new float[report.cols()];
  }

  /** Adds parameters, gradients, moments and the report. */
  public static void plan(MemoryPlan.Builder plan, AdapterParameters adapter) {
    int rows = adapter.rows();
    int cols = AdapterParameters.COLUMNS;
    plan.f32(PARAMETERS, rows, cols)
        .f32(GRADIENTS, rows, cols)
        .f32(FIRST_MOMENT, rows, cols)
        .f32(SECOND_MOMENT, rows, cols)
        .f32(REPORT, 1, BALANCE + adapter.config().layers());
  }

  /**
   * Losses and gradients of an effective batch, gradients neither clipped nor applied.
   *
   * @param step from 0, for dropout
   * @param dropout whether dropout is on
   */
  public Measured gradients(List<TokenBatch> microBatches, int step, boolean dropout) {
    long targets = microBatches.stream().mapToLong(TokenBatch::countedTargets).sum();
    long tokens = microBatches.stream().mapToLong(TokenBatch::countedTokens).sum();
    backend.activation().zero(gradients);
    backend.activation().zero(report);
    Tensor loss = report.slice(LOSS, 1, 1);
    Tensor balance = report.slice(BALANCE, report.cols() - BALANCE, 1);
    for (TokenBatch batch : microBatches) {
      DeviceBatch device = pass.upload(batch);
      double share = (double) batch.countedTokens() / tokens;
      hook.begin(batch, device, step, dropout, (float) share);
      pass.forward(Pass.FORWARD, 1f / targets, loss);
      hook.finishForward(balance);
      pass.backward();
    }
    measureNorm();
    backend.memory().download(report, host);
    double[] balances = new double[host.length - BALANCE];
    for (int l = 0; l < balances.length; l++) {
      balances[l] = host[BALANCE + l];
    }
    return new Measured(
        host[LOSS] / (double) targets,
        balances,
        Math.sqrt(host[NORM]),
        (int) tokens,
        (int) targets);
  }

  /** Squared norm of the gradients as they are, for {@link #update} to clip by. */
  public void measureNorm() {
    Tensor squared = report.slice(NORM, 1, 1);
    backend.activation().zero(squared);
    backend.optimizer().squaredNorm(gradients, squared);
  }

  /**
   * Clips the gradients and applies AdamW.
   *
   * @param t step number from 1
   */
  public void update(double rate, int t) {
    if (optimizer.maxGradNorm() > 0) {
      backend
          .optimizer()
          .clip(gradients, report.slice(NORM, 1, 1), (float) optimizer.maxGradNorm());
    }
    AdamWStep step =
        new AdamWStep(
            rate,
            optimizer.beta1(),
            optimizer.beta2(),
            optimizer.epsilon(),
            optimizer.weightDecay(),
            t);
    backend.optimizer().adamW(parameters, gradients, m, v, step);
  }

  /**
   * What a forward and backward pass measured.
   *
   * @param loss mean cross-entropy over the targets
   * @param balance L of every layer
   * @param gradientNorm before clipping
   * @param tokens of the effective batch
   * @param targets of the effective batch
   */
  public record Measured(
      double loss, double[] balance, double gradientNorm, int tokens, int targets) {}
}
