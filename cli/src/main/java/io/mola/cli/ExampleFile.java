package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.data.DataOptions;
import io.mola.core.data.DataSet;
import io.mola.core.data.Datasets;
import io.mola.core.data.Example;
import io.mola.core.data.ExcessLength;
import io.mola.core.data.PromptStyle;
import io.mola.core.tokenizer.Tokenizer;
import io.mola.core.tokenizer.TokenizerFingerprint;
import io.mola.core.tokenizer.Tokenizers;
import io.mola.core.weights.WeightSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Examples of a file, as tokens.
 *
 * @param examples in file order
 * @param tokenizerFingerprint of the tokenizer that made them
 */
record ExampleFile(List<Example> examples, Optional<TokenizerFingerprint> tokenizerFingerprint) {
  /** Settings that say how examples are made. */
  static final List<Key<?>> KEYS =
      List.of(
          Keys.DATA_PATH,
          Keys.CUTOFF_LEN,
          Keys.EXCESS_LENGTH_STRATEGY,
          Keys.TRAIN_ON_INPUTS,
          Keys.PROMPT_STYLE);

  /**
   * Reads it as the settings say; remarks go to the error stream.
   *
   * @throws io.mola.core.failure.UsageException naming file and line of what cannot be used
   */
  static ExampleFile read(Settings settings, WeightSource source, Path path, Output output) {
    Tokenizer tokenizer = Tokenizers.of(source.tokenizer());
    DataSet data = Datasets.read(path, tokenizer, options(settings));
    data.remarks().forEach(output.remarks()::println);
    int context = source.config().contextLength();
    if (data.longest() > context) {
      output
          .remarks()
          .printf(
              Locale.ROOT,
              "the longest example has %,d tokens, more than the context of %,d that the model was"
                  + " made for; --cutoff-len %d keeps within it%n",
              data.longest(),
              context,
              context);
    }
    return new ExampleFile(data.examples(), tokenizer.fingerprint());
  }

  private static DataOptions options(Settings settings) {
    return new DataOptions(
        style(settings),
        settings.get(Keys.TRAIN_ON_INPUTS),
        settings.find(Keys.CUTOFF_LEN).orElse(0),
        ExcessLength.valueOf(settings.get(Keys.EXCESS_LENGTH_STRATEGY).toUpperCase(Locale.ROOT)));
  }

  /** How prompts are written. */
  static PromptStyle style(Settings settings) {
    return PromptStyle.valueOf(settings.get(Keys.PROMPT_STYLE).toUpperCase(Locale.ROOT));
  }
}
