package io.mola.cli;

import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TrainingPass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.train.Evaluation;
import io.mola.core.train.Prefixes;
import java.util.List;

/** Measures a model on examples, many at a time. */
final class ModelMeasure {
  private static final int TOKENS_AT_ONCE = 512;
  private static final int HEAD_ROWS = 128;

  private ModelMeasure() {}

  /** Loss and exact match. */
  static Evaluation.Result of(FrozenModel model, List<Example> examples, Prefixes prefixes) {
    int longest = examples.stream().mapToInt(Example::length).max().orElse(1);
    int tokens = Math.max(longest, TOKENS_AT_ONCE);
    PassLimits limits = new PassLimits(tokens, tokens, longest, 1, HEAD_ROWS);
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, model.source().config(), limits);
    Evaluation.plan(plan);
    model.planHook(plan, tokens);
    Tokenizer tokenizer = model.tokenizer();
    try (Region region = model.backend().memory().allocate(plan.build())) {
      TrainingPass pass = new TrainingPass(model.transformer(), model.hook(region), region, limits);
      return new Evaluation(model.backend(), pass, region, limits, prefixes)
          .withAnswers(examples, tokenizer::isStop);
    }
  }
}
