package io.mola.cli;

import io.mola.cli.settings.Given;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.data.Example;
import io.mola.core.failure.UsageException;
import io.mola.core.train.Prefixes;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The model and the task that come with the program: a small model of letters that can copy, double
 * and shift words, and is taught to reverse them. {@code grow.sh} in testdata made both.
 *
 * @param folder that holds the files
 */
record EmbeddedTask(Path folder) {
  private static final String PLACE = "the embedded task";

  /** The files beside the program's jars. */
  static EmbeddedTask find() {
    CodeSource source = EmbeddedTask.class.getProtectionDomain().getCodeSource();
    if (source != null) {
      try {
        Path jar = Path.of(source.getLocation().toURI());
        Path folder = jar.resolveSibling("../embedded").normalize();
        if (Files.isRegularFile(folder.resolve("letters.gguf"))) {
          return new EmbeddedTask(folder);
        }
      } catch (URISyntaxException e) {
        throw new IllegalStateException("the program's own place", e);
      }
    }
    throw new UsageException(
        "the embedded model is not beside the program; start it with ./mola, or give --base-model"
            + " and --data-path");
  }

  Path model() {
    return folder.resolve("letters.gguf");
  }

  /** What suits the task, for settings that the user did not give. */
  List<Given> settings() {
    return List.of(
        given("base_model", model().toString()),
        given("data_path", folder.resolve("reverse-train.jsonl").toString()),
        given("micro_batch_size", "32"),
        given("max_steps", "250"),
        given("num_epochs", "100"),
        given("learning_rate", "3e-3"),
        given("lora_dropout", "0"));
  }

  private static Given given(String name, String text) {
    return new Given(name, text, PLACE);
  }

  /** Share of held-back examples that are answered exactly. */
  double exactMatch(Settings settings, Optional<Path> adapter) {
    List<Given> givens = new ArrayList<>();
    givens.add(given("base_model", model().toString()));
    givens.add(given("backend", settings.get(Keys.BACKEND)));
    adapter.ifPresent(path -> givens.add(given("adapter", path.toString())));
    settings
        .find(Keys.THREADS)
        .ifPresent(threads -> givens.add(given("threads", threads.toString())));
    Settings own = new Settings(givens, List.of());
    try (FrozenModel model = FrozenModel.open(own)) {
      Path test = folder.resolve("reverse-test.jsonl");
      List<Example> examples =
          ExampleFile.read(own, model.source(), test, new Output(true)).examples();
      return ModelMeasure.of(model, examples, Prefixes.SHARED).exactMatch().orElseThrow();
    }
  }
}
