/** The CPU backend on the JDK Vector API: one class per group of operations. */
package io.mola.simd;
