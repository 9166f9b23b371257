/** Text to token ids and back, and the model's own chat template. */
package io.mola.core.tokenizer;
