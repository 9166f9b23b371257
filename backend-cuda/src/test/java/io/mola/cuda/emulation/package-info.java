/**
 * Tests of the CUDA backend on libraries that compute on the CPU, and what they share. The
 * libraries are in {@code src/test/native}, whose README tells what they can show and what not.
 */
package io.mola.cuda.emulation;
