/**
 * How weights are stored in files: one row per type in QuantType, one decoder per type, and the
 * stored matrix in its file encoding. No mathematics on activations.
 */
package io.mola.core.quant;
