/** GGUF files and Hugging Face checkpoint folders as weight sources. */
@org.jspecify.annotations.NullMarked
module io.mola.gguf {
  requires static transitive org.jspecify;
  requires transitive io.mola.core;

  exports io.mola.gguf;

  provides io.mola.core.weights.WeightFormat with
      io.mola.gguf.GgufFormat,
      io.mola.gguf.CheckpointFormat;
}
