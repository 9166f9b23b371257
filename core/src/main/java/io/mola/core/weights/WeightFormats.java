package io.mola.core.weights;

import io.mola.core.failure.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Finds the format of a path among those on the module path. */
public final class WeightFormats {
  private WeightFormats() {}

  /**
   * Opens a model.
   *
   * @throws UsageException if the path does not exist or no format recognises it
   */
  public static WeightSource open(Path path) {
    if (!Files.exists(path)) {
      throw new UsageException(
          path + ": no such file or folder; --base-model takes a GGUF file or a checkpoint folder");
    }
    List<WeightFormat> formats =
        ServiceLoader.load(WeightFormat.class).stream().map(ServiceLoader.Provider::get).toList();
    for (WeightFormat format : formats) {
      if (format.recognises(path)) {
        return format.open(path);
      }
    }
    throw new UsageException(
        path
            + ": not a model mola can read; supported: "
            + formats.stream().map(WeightFormat::name).sorted().collect(Collectors.joining(", ")));
  }
}
