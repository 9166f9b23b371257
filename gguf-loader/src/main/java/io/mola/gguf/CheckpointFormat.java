package io.mola.gguf;

import io.mola.core.weights.WeightFormat;
import io.mola.core.weights.WeightSource;
import java.nio.file.Files;
import java.nio.file.Path;

/** Hugging Face checkpoint folders. */
public final class CheckpointFormat implements WeightFormat {
  @Override
  public String name() {
    return "checkpoint folders with config.json and safetensors (llama, mistral)";
  }

  @Override
  public boolean recognises(Path path) {
    return Files.isDirectory(path);
  }

  @Override
  public WeightSource open(Path path) {
    return CheckpointFolder.open(path);
  }
}
