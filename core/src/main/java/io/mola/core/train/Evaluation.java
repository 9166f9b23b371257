package io.mola.core.train;

import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.failure.MolaException;
import io.mola.core.generate.Sampler;
import io.mola.core.generate.Sampling;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.IntPredicate;

/**
 * Mean cross-entropy over examples and exact match of their answers, without dropout and without
 * gradients.
 */
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
   * @param exactMatch share of greedy answers that are token for token the expected ones, 0 to 1;
   *     empty if it was not asked for, or no example is one prompt followed by one answer
   */
  public record Result(double loss, long targets, OptionalDouble exactMatch) {
    /** exp(loss). */
    public double perplexity() {
      return Math.exp(loss);
    }
  }

  /** The loss of all examples, as many at a time as the buffers hold. */
  public Result of(List<Example> examples) {
    return measure(List.of(), examples, new ExactMatch(id -> false));
  }

  /**
   * The loss of all examples, and how many of their answers greedy decoding would give.
   *
   * @param stop whether a token ends an answer
   * @throws MolaException if a logit is not a finite number
   */
  public Result withAnswers(List<Example> examples, IntPredicate stop) {
    return measure(
        examples.stream().filter(ExactMatch::asks).toList(),
        examples.stream().filter(example -> !ExactMatch.asks(example)).toList(),
        new ExactMatch(stop));
  }

  private Result measure(List<Example> asked, List<Example> others, ExactMatch match) {
    double sum = 0;
    long targets = 0;
    int right = 0;
    for (TokenBatch batch : batches(asked)) {
      sum += lossOf(batch);
      targets += batch.countedTargets();
      right += match.right(batch, choices(batch));
    }
    for (TokenBatch batch : batches(others)) {
      sum += lossOf(batch);
      targets += batch.countedTargets();
    }
    OptionalDouble share =
        asked.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of((double) right / asked.size());
    return new Result(sum / targets, targets, share);
  }

  private double lossOf(TokenBatch batch) {
    if (batch.labelled() == 0) {
      return 0;
    }
    float[] host = new float[1];
    backend.activation().zero(loss);
    pass.upload(batch);
    pass.forward(Pass.INFERENCE, 0, loss);
    backend.memory().download(loss, host);
    return host[0];
  }

  private int[] choices(TokenBatch batch) {
    int[] choices = new int[batch.labelled()];
    Sampler greedy = new Sampler(Sampling.GREEDY);
    pass.eachLogits((row, logits) -> {
      choices[row] = greedy.next(logits);
      if (!Float.isFinite(logits[choices[row]])) {
        throw new MolaException(
            "the model gave a logit that is not a finite number; check the adapter and the base"
                + " model");
      }
    });
    return choices;
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
