/**
 * The model, the adapter, training, data, and the backend SPI with its slow reference backend.
 *
 * <p>Order of knowledge: {@code tensor <- quant <- backend <- weights <- model <- adapter <- train}
 * and {@code tokenizer <- data <- train}.
 */
@org.jspecify.annotations.NullMarked
module io.mola.core {
  requires static transitive org.jspecify;
  requires transitive tools.jackson.databind;
  requires tools.jackson.dataformat.yaml;
  requires ai.djl.tokenizers;
  requires ai.djl.api;
  requires jinjava;

  exports io.mola.core.failure;
  exports io.mola.core.tensor;
  exports io.mola.core.quant;
  exports io.mola.core.backend;
  exports io.mola.core.safetensors;
  exports io.mola.core.weights;
  exports io.mola.core.model;
  exports io.mola.core.adapter;
  exports io.mola.core.tokenizer;
  exports io.mola.core.data;
  exports io.mola.core.train;
  exports io.mola.core.generate;
  exports io.mola.core.verify;
  exports io.mola.core.backend.reference to
      io.mola.testdata;

  uses io.mola.core.backend.BackendProvider;
  uses io.mola.core.weights.WeightFormat;

  provides io.mola.core.backend.BackendProvider with
      io.mola.core.backend.reference.ReferenceBackendProvider;
}
