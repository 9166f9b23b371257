package io.mola.core.data;

/** What happens to an example that is longer than the cut-off. */
public enum ExcessLength {
  /** Stop and name it. */
  RAISE,
  /** Leave it out and report it. */
  DROP,
  /** Cut its end off and report it. */
  TRUNCATE
}
