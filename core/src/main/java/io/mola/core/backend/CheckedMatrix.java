package io.mola.core.backend;

/** A frozen matrix that refuses to be used after it was closed. */
final class CheckedMatrix implements FrozenMatrix {
  private final String name;
  private final FrozenMatrix inner;
  private final Operands owner;
  private boolean closed;

  CheckedMatrix(String name, FrozenMatrix inner, Operands owner) {
    this.name = name;
    this.inner = inner;
    this.owner = owner;
  }

  boolean belongsTo(Operands operands) {
    return owner == operands;
  }

  /** The backend's own matrix. */
  FrozenMatrix unwrap() {
    if (closed) {
      throw new IllegalStateException("matrix " + name + " is closed");
    }
    return inner;
  }

  @Override
  public int out() {
    return inner.out();
  }

  @Override
  public int in() {
    return inner.in();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      inner.close();
    }
  }
}
