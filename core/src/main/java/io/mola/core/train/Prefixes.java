package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.List;

/** What happens to tokens with which several examples of a micro-batch begin. */
public enum Prefixes {
  /**
   * They are computed once, as a prefix that the rest of each example continues. Loss and gradients
   * are those of {@link #REPEATED}, to rounding; only dropout differs: its mask is drawn once for a
   * shared row.
   */
  SHARED,
  /** Every example computes its own. */
  REPEATED;

  /** The examples of a micro-batch in the order of their rows, each in one group. */
  List<PrefixGroup> groups(List<Example> examples) {
    return this == SHARED
        ? SharedPrefixes.of(examples)
        : examples.stream().map(PrefixGroup::alone).toList();
  }
}
