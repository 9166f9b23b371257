package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.generate.Generator;
import io.mola.core.model.LinearHook;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TrainingPass;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.train.Evaluation;
import io.mola.core.train.ExactMatch;
import io.mola.core.weights.ModelConfig;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/** Measures a model on examples. */
@Command(
    name = "eval",
    description =
        "Measure the model on a file of examples: mean loss and perplexity of the answers, and how"
            + " many greedy answers are exactly the expected ones.%n")
final class EvalCommand extends Subcommand {
  private static final int TOKENS_AT_ONCE = 512;
  private static final int HEAD_ROWS = 128;

  @Override
  List<Key<?>> keys() {
    return Stream.of(FrozenModel.KEYS, ExampleFile.KEYS, List.<Key<?>>of(Keys.SHARE_PREFIX))
        .flatMap(List::stream)
        .toList();
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    Path data = settings.require(Keys.DATA_PATH);
    try (FrozenModel model = FrozenModel.open(settings)) {
      List<Example> examples = ExampleFile.read(settings, model.source(), data, output).examples();
      int longest = examples.stream().mapToInt(Example::length).max().orElse(1);
      int tokens = Math.max(longest, TOKENS_AT_ONCE);
      PassLimits limits = new PassLimits(tokens, tokens, longest, 1, HEAD_ROWS);
      ModelConfig config = model.source().config();
      MemoryPlan.Builder plan = new MemoryPlan.Builder();
      TrainingPass.plan(plan, config, limits);
      Evaluation.plan(plan);
      model.planHook(plan, Math.max(tokens, Generator.PROMPT_CHUNK));
      try (Region region = model.backend().memory().allocate(plan.build())) {
        LinearHook hook = model.hook(region);
        TrainingPass pass = new TrainingPass(model.transformer(), hook, region, limits);
        Evaluation.Result result =
            new Evaluation(
                    model.backend(), pass, region, limits, TrainingSettings.prefixes(settings))
                .of(examples);
        report(result, exactMatch(model, hook, examples, longest), output);
      }
    }
    return 0;
  }

  private static OptionalDouble exactMatch(
      FrozenModel model, LinearHook hook, List<Example> examples, int longest) {
    Tokenizer tokenizer = model.tokenizer();
    try (Generator generator = new Generator(model.transformer(), hook, longest + 1)) {
      return new ExactMatch(generator, tokenizer::isStop).of(examples);
    }
  }

  private static void report(Evaluation.Result result, OptionalDouble match, Output output) {
    output
        .text()
        .printf(
            Locale.ROOT,
            "loss %.4f, perplexity %.4f over %,d targets%n",
            result.loss(),
            result.perplexity(),
            result.targets());
    match.ifPresent(
        share -> output.text().printf(Locale.ROOT, "exact match %.1f %%%n", 100 * share));
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("loss", result.loss());
    answer.put("perplexity", result.perplexity());
    answer.put("targets", result.targets());
    answer.put("exact_match", match.isPresent() ? match.getAsDouble() : null);
    output.answer(answer);
  }
}
