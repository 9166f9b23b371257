package io.mola.core.train;

import io.mola.core.data.Example;
import java.util.List;

/**
 * Examples whose first {@code length} tokens are the same and are computed once.
 *
 * @param examples at least one, each longer than {@code length}
 * @param length 0: nothing is shared
 */
record PrefixGroup(List<Example> examples, int length) {
  /** Copies the list. */
  PrefixGroup {
    examples = List.copyOf(examples);
  }

  /** One example that shares nothing. */
  static PrefixGroup alone(Example example) {
    return new PrefixGroup(List.of(example), 0);
  }

  /** Rows that are computed. */
  int rows() {
    return BatchBuilder.tokens(examples) - (examples.size() - 1) * length;
  }
}
