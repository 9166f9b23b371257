/**
 * The CUDA backend. So far its provider and the probe that tells what a machine lacks; there are no
 * kernels yet. Bytedeco classes may be used in this package only, and not by the provider or the
 * probe.
 */
package io.mola.cuda;
