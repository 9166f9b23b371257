package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;

/** Trains an adapter. */
@Command(
    name = "finetune",
    description = {
      "Train a mixture of LoRA experts on your examples. The model itself is never changed: the"
          + " result is a small adapter folder.%n",
      "Without any option: fine-tunes the model that comes with the program on a task that comes with"
          + " it, and counts right answers before and after.%n"
    })
final class FinetuneCommand extends Subcommand {
  @Override
  List<Key<?>> keys() {
    return FinetuneKeys.ALL;
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    if (settings.given(Keys.BASE_MODEL).isEmpty() && settings.given(Keys.DATA_PATH).isEmpty()) {
      return demonstrate(settings, output);
    }
    Path folder = settings.get(Keys.OUTPUT_DIR);
    Optional<Map<String, Object>> answer = train(settings, folder, output, typed());
    answer.ifPresent(output::answer);
    answer.ifPresent(done -> sayNext(settings.require(Keys.BASE_MODEL), folder, output));
    return answer.isPresent() ? 0 : Interruption.EXIT_CODE;
  }

  private static Optional<Map<String, Object>> train(
      Settings settings, Path folder, Output output, List<String> typed) {
    Path model = settings.require(Keys.BASE_MODEL);
    Path data = settings.require(Keys.DATA_PATH);
    AdapterFolder.requireFree(folder, settings.get(Keys.OVERWRITE));
    RunContinuity continuity = RunContinuity.of(settings, folder);
    try (WeightSource source = WeightFormats.open(model)) {
      FinetuneRun run = FinetuneRun.prepare(settings, source, data, continuity, output);
      OutputFolder.requireWritable(folder);
      return run.execute(typed);
    }
  }

  private static void sayNext(Path model, Path folder, Output output) {
    output
        .text()
        .printf(
            "next: ./mola generate --base-model %s --adapter %s --prompt \"...\"%n", model, folder);
  }

  private int demonstrate(Settings given, Output output) {
    EmbeddedTask task = EmbeddedTask.find();
    Settings settings = given.orElse(task.settings());
    Path folder = settings.get(Keys.OUTPUT_DIR);
    AdapterFolder.requireFree(folder, settings.get(Keys.OVERWRITE));
    output.text().println("Teaching the embedded model to spell words backwards.");
    double before = task.exactMatch(settings, Optional.empty());
    output.text().printf(Locale.ROOT, "right answers before: %.1f %%%n", 100 * before);
    Optional<Map<String, Object>> answer = train(settings, folder, output, typed());
    if (answer.isEmpty()) {
      return Interruption.EXIT_CODE;
    }
    double after = task.exactMatch(settings, Optional.of(folder));
    output
        .text()
        .printf(
            Locale.ROOT,
            "right answers before: %.1f %%, after: %.1f %%, on %s%n",
            100 * before,
            100 * after,
            "words that were not trained on");
    output
        .text()
        .printf(
            "next: ./mola generate --base-model %s --adapter %s --prompt-style raw --prompt \"reverse"
                + " maple:\"%n",
            task.model(), folder);
    Map<String, Object> full = new LinkedHashMap<>(answer.get());
    full.put("exact_match_before", before);
    full.put("exact_match_after", after);
    output.answer(full);
    return 0;
  }
}
