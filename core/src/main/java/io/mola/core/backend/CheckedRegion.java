package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/** A region whose tensors know where they lie, and that they are gone once it is closed. */
final class CheckedRegion implements Region {
  private final Region inner;
  private final Operands owner;
  private final Map<String, CheckedTensor> tensors = new HashMap<>();
  private boolean closed;

  /**
   * A region.
   *
   * @param owner what checks the calls of the backend that it belongs to
   */
  CheckedRegion(Region inner, Operands owner) {
    this.inner = inner;
    this.owner = owner;
  }

  boolean belongsTo(Operands operands) {
    return owner == operands;
  }

  void requireOpen(String slot) {
    if (closed) {
      throw new IllegalStateException("the region of slot " + slot + " is closed");
    }
  }

  @Override
  public MemoryPlan plan() {
    return inner.plan();
  }

  @Override
  public Tensor tensor(String name) {
    requireOpen(name);
    CheckedTensor known = tensors.get(name);
    if (known == null) {
      known = new CheckedTensor(this, name, 0, inner.tensor(name));
      tensors.put(name, known);
    }
    return known;
  }

  @Override
  public IntTensor ints(String name) {
    requireOpen(name);
    return new CheckedIntTensor(this, name, inner.ints(name));
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      inner.close();
    }
  }
}
