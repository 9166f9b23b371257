/**
 * The operations of a training step other than products, each beside the least time that the
 * machine could need: its bytes at the bandwidth of a triad of the same size, or its arithmetic at
 * the peak of multiply-adds, whichever is longer.
 */
@NullMarked
package io.mola.perf.layer;

import org.jspecify.annotations.NullMarked;
