/** Libraries of matrix products. Nothing but the benchmarks may use them. */
@NullMarked
package io.mola.perf.blas;

import org.jspecify.annotations.NullMarked;
