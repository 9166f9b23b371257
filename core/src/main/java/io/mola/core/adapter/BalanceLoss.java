package io.mola.core.adapter;

/** Which routers share one balance term, and which rows it counts. */
public enum BalanceLoss {
  /** One term per layer over all its routers, which need equal N; only real tokens count. */
  MASKED,
  /** One term per router, averaged over the routers of a layer; N may differ. */
  MASKED_PER_MODULE,
  /**
   * The authors' form: one term per layer over every row of the batch. Batches here hold no
   * padding, so it differs from {@link #MASKED} only where rows are left out of that one.
   */
  AUTHORS,
  /** No balance loss. */
  NONE
}
