package io.mola.cli;

import io.mola.cli.settings.Key;
import io.mola.cli.settings.Keys;
import io.mola.cli.settings.Settings;
import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterFolder.Defaults;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.adapter.MergedWeights;
import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import io.mola.core.weights.WeightFormats;
import io.mola.core.weights.WeightSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;

/** Works a plain LoRA into the weights. */
@Command(
    name = "merge",
    description = {
      "Write a new model with an adapter worked in: a GGUF file from a GGUF file, a checkpoint folder"
          + " from a checkpoint folder. Only adapters with one expert everywhere can be merged: a"
          + " router decides per token, and no fixed matrix does that.%n"
    })
final class MergeCommand extends Subcommand {
  @Override
  List<Key<?>> keys() {
    return List.of(Keys.BASE_MODEL, Keys.ADAPTER, Keys.OUTPUT_DIR, Keys.MERGED_TYPE, Keys.FORCE);
  }

  @Override
  int run(Output output) {
    Settings settings = settings();
    Path target = settings.get(Keys.OUTPUT_DIR);
    if (Files.exists(target)) {
      throw new UsageException(target + ": exists; merge writes a new model, choose another name");
    }
    QuantType type = QuantType.valueOf(settings.get(Keys.MERGED_TYPE).toUpperCase(Locale.ROOT));
    try (WeightSource source = WeightFormats.open(settings.require(Keys.BASE_MODEL))) {
      LoadedAdapter adapter =
          AdapterFolder.load(
              settings.require(Keys.ADAPTER), source.config(), Defaults.OF_THE_PAPER);
      MergedWeights merged = new MergedWeights(adapter);
      if (adapter.provenance().baseFingerprint() != null) {
        adapter.requireBase(source.fingerprint(), settings.get(Keys.FORCE));
      }
      source.rewrite(target, type, merged);
    }
    output.text().printf("merged model: %s%n", target);
    output.answer(Map.of("output", target.toString(), "type", type.name()));
    return 0;
  }
}
