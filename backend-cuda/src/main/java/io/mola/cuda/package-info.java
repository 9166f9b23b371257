/**
 * The CUDA backend: its provider and the probe that tells what a machine lacks, memory, and one
 * class per group of operations, which enqueues the group's kernels and products. The provider, the
 * probe and the settings mention no bytedeco type; only {@code driver} does.
 */
package io.mola.cuda;
