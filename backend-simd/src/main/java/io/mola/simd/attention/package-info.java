/**
 * Causal attention over ragged batches, block by block: products by the micro-kernel, no matrix of
 * all scores.
 */
package io.mola.simd.attention;
