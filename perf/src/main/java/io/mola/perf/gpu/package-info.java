/**
 * What {@code perf/gpu/measure.sh} runs on a machine with a GPU: contracts, rates of products and
 * operations, training speed on random bases. Everything goes through the backend's interface, but
 * for the raw rate of cuBLAS.
 */
@org.jspecify.annotations.NullMarked
package io.mola.perf.gpu;
