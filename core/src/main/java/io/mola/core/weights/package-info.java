/**
 * Where frozen weights come from: the WeightFormat SPI, model configuration, canonical tensor
 * names. Parsing of a particular container lives in the gguf-loader module.
 */
package io.mola.core.weights;
