package io.mola.core.train;

import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Mean cross-entropy over examples, without dropout and without gradients. */
public final class Evaluation {
  private static final String LOSS = "evaluation.loss";

  private final Backend backend;
  private final TrainingPass pass;
  private final Tensor loss;
  private final PassLimits limits;
  private final Prefixes prefixes;

  /**
   * @param pass with buffers for at least the longest example
   * @param prefixes of the examples that run at a time
   */
  public Evaluation(
      Backend backend, TrainingPass pass, Region region, PassLimits limits, Prefixes prefixes) {
    this.backend = backend;
    this.pass = pass;
    this.limits = limits;
    this.prefixes = prefixes;
    loss = region.tensor(LOSS);
  }

  /** Adds the slot of the loss. */
  public static void plan(MemoryPlan.Builder plan) {
    plan.f32(LOSS, 1, 1);
  }

  /**
   * What was measured.
   *
   * @param loss mean of −log p over all targets, natural logarithm
   * @param targets number of targets
   */
  public record Result(double loss, long targets) {
    /** exp(loss). */
    public double perplexity() {
      return Math.exp(loss);
    }
  }

  /** Runs all examples, as many at a time as the buffers hold. */
  public Result of(List<Example> examples) {
    double sum = 0;
    long targets = 0;
    float[] host = new float[1];
    for (TokenBatch batch : batches(examples)) {
      backend.activation().zero(loss);
      pass.upload(batch);
      pass.forward(Pass.INFERENCE, 0, loss);
      backend.memory().download(loss, host);
      sum += host[0];
      targets += batch.countedTargets();
    }
    return new Result(sum / targets, targets);
  }

  private List<TokenBatch> batches(List<Example> examples) {
    List<TokenBatch> batches = new ArrayList<>();
    List<Example> group = new ArrayList<>();
    for (Example example : examples) {
      group.add(example);
      if (group.size() > 1 && !fits(BatchBuilder.of(group, prefixes))) {
        batches.add(BatchBuilder.of(group.subList(0, group.size() - 1), prefixes));
        group = new ArrayList<>(List.of(example));
      }
    }
    if (!group.isEmpty()) {
      batches.add(BatchBuilder.of(group, prefixes));
    }
    return batches;
  }

  private boolean fits(TokenBatch batch) {
    return batch.size() <= limits.tokens() && batch.labelled() <= limits.labelled();
  }
}
