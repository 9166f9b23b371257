/**
 * Products with one frozen matrix by backends and by libraries, on the same numbers, checked
 * against the reference backend. Libraries lie outside this module and are found by ServiceLoader.
 */
@NullMarked
package io.mola.perf.product;

import org.jspecify.annotations.NullMarked;
