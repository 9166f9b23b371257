package io.mola.core.backend;

import java.util.Map;

/** One open device. See the package for the rules that hold for all operations. */
public interface Backend extends AutoCloseable {
  /** Short name, for example {@code simd}. */
  String name();

  /** What products multiply and activations are stored as. */
  default InnerPrecision precision() {
    return InnerPrecision.F32;
  }

  /**
   * What is worth knowing about the work so far, as name and number, for reports; for example how
   * many steps were replayed from a recording. Names are in snake_case, their order is for people.
   */
  default Map<String, Long> counts() {
    return Map.of();
  }

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
