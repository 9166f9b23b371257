/** Threads and reusable memory: who computes, and where the intermediate results lie. */
package io.mola.simd.work;
