package io.mola.gguf;

import io.mola.core.weights.WeightFormat;
import io.mola.core.weights.WeightSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** GGUF files. */
public final class GgufFormat implements WeightFormat {
  @Override
  public String name() {
    return "GGUF files (architecture llama)";
  }

  @Override
  public boolean recognises(Path path) {
    Path name = path.getFileName();
    return Files.isRegularFile(path)
        && (name == null || !name.toString().toLowerCase(Locale.ROOT).endsWith(".json"));
  }

  @Override
  public WeightSource open(Path path) {
    return GgufWeightSource.open(path);
  }
}
