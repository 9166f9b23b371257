package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.data.Example;
import io.mola.core.train.Evaluation;
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
      report(ModelMeasure.of(model, examples, TrainingSettings.prefixes(settings)), output);
    }
    return 0;
  }

  private static void report(Evaluation.Result result, Output output) {
    output
        .text()
        .printf(
            Locale.ROOT,
            "loss %.4f, perplexity %.4f over %,d targets%n",
            result.loss(),
            result.perplexity(),
            result.targets());
    OptionalDouble match = result.exactMatch();
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
