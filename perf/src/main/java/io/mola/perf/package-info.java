/**
 * Benchmarks of single operations through the backend SPI. Each checks what it times against the
 * reference backend first. The generated classes of JMH lie beside these.
 */
@NullMarked
package io.mola.perf;

import org.jspecify.annotations.NullMarked;
