/**
 * CUDA as this backend uses it: a device with its stream, compiled kernels and their launches,
 * products by cuBLAS, scratch memory and pinned staging buffers. Everything that calls the driver,
 * NVRTC or cuBLAS lives here, and every status is checked here; no mathematics of the model.
 *
 * <p>One thread at a time may use a device. A context belongs to the operating system's thread, so
 * a call from another platform thread than the last makes the context current there first; virtual
 * threads are refused.
 */
package io.mola.cuda.driver;
