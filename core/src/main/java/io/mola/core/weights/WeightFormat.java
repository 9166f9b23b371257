package io.mola.core.weights;

import java.nio.file.Path;

/** A container of frozen weights, found by ServiceLoader: GGUF files, checkpoint folders. */
public interface WeightFormat {
  /** For people, for example {@code GGUF file}. */
  String name();

  /**
   * Whether the path looks like this format, judged by its first bytes or file names; never throws.
   */
  boolean recognises(Path path);

  /**
   * Maps the weights read-only. Everything that can be checked without touching tensor data has
   * been checked on return.
   *
   * @throws io.mola.core.failure.MalformedFileException if the file is damaged or not supported
   */
  WeightSource open(Path path);
}
