package io.mola.perf.layer;

import io.mola.testdata.contract.Tolerance;

/**
 * A buffer that an operation writes.
 *
 * @param tolerance how near it must come to the reference backend
 */
record Output(String buffer, Tolerance tolerance) {}
