package io.mola.core.backend;

/**
 * A frozen [out, in] weight W as the backend holds it. It has no gradient and cannot be read back.
 */
public interface FrozenMatrix extends AutoCloseable {
  /** Output features. */
  int out();

  /** Input features. */
  int in();

  /** Waits for queued work that uses it, then frees what the backend keeps of it. */
  @Override
  void close();
}
