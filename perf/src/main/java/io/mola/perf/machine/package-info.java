/**
 * What the machine can do at most, measured beside what is judged by it: multiply-adds on
 * registers, and bytes through memory or a cache.
 */
@NullMarked
package io.mola.perf.machine;

import org.jspecify.annotations.NullMarked;
