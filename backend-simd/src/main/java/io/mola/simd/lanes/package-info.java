/**
 * What depends on the vector width alone: species, the exponential function, the dropout mask,
 * sums. Knows nothing of tensors or threads.
 */
package io.mola.simd.lanes;
