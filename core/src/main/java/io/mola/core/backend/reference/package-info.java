/**
 * The definition of every operation: naive loops and double accumulators, no cleverness. Each
 * method is short enough to check against its line of mathematics.
 */
package io.mola.core.backend.reference;
