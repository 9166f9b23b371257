package io.mola.core.backend;

/** One open device. See the package for the rules that hold for all operations. */
public interface Backend extends AutoCloseable {
  /** Short name, for example {@code simd}. */
  String name();

  /** Buffers, uploads, downloads, frozen matrices. */
  Memory memory();

  /** Products with frozen weights. */
  LinearOps linear();

  /** Products with frozen weights plus low-rank experts. */
  AdapterOps adapters();

  /** Router statistics and balance loss. */
  RouterOps routers();

  /** RMS norm. */
  NormOps norm();

  /** Rotary embedding and attention. */
  AttentionOps attention();

  /** Elementwise and row-wise data movement. */
  ActivationOps activation();

  /** Head and cross-entropy. */
  LossOps loss();

  /** Updates of trainable parameters. */
  OptimizerOps optimizer();

  /** Waits for queued work and frees everything. */
  @Override
  void close();
}
