/**
 * Containers of frozen weights: GGUF files (parsing, validation, canonical names) and Hugging Face
 * checkpoint folders. No mathematics and no decoding of tensor data.
 */
package io.mola.gguf;
