package io.mola.core.backend;

import io.mola.core.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A tensor that knows where it lies, so that overlaps show. It remembers the last view of its
 * beginning: the layers of a pass ask for the same rows of the same buffer one after the other.
 */
final class CheckedTensor implements Tensor {
  private final CheckedRegion region;
  private final String slot;
  private final long offset;
  private final Tensor inner;
  private @Nullable CheckedTensor beginning;

  /**
   * A view.
   *
   * @param region the region whose memory it views
   * @param slot the slot's name
   * @param offset first element within the slot
   * @param inner the view as the backend made it
   */
  CheckedTensor(CheckedRegion region, String slot, long offset, Tensor inner) {
    this.region = region;
    this.slot = slot;
    this.offset = offset;
    this.inner = inner;
  }

  /** The slot's name. */
  String slot() {
    return slot;
  }

  boolean belongsTo(Operands operands) {
    return region.belongsTo(operands);
  }

  /** The backend's own tensor. */
  Tensor unwrap() {
    region.requireOpen(slot);
    return inner;
  }

  boolean overlaps(CheckedTensor other) {
    return region == other.region
        && slot.equals(other.slot)
        && offset < other.offset + other.size()
        && other.offset < offset + size();
  }

  boolean isSameViewAs(CheckedTensor other) {
    return overlaps(other) && offset == other.offset && size() == other.size();
  }

  long size() {
    return (long) rows() * cols();
  }

  @Override
  public int rows() {
    return inner.rows();
  }

  @Override
  public int cols() {
    return inner.cols();
  }

  @Override
  public Tensor slice(long start, int rows, int cols) {
    if (start < 0 || rows < 0 || cols < 0 || start + (long) rows * cols > size()) {
      throw new IllegalArgumentException(
          "slice "
              + Operands.brackets(rows, cols)
              + " at element "
              + start
              + " reaches beyond "
              + this);
    }
    if (start != 0) {
      return new CheckedTensor(region, slot, offset + start, inner.slice(start, rows, cols));
    }
    CheckedTensor view = beginning;
    if (view == null || view.rows() != rows || view.cols() != cols) {
      view = new CheckedTensor(region, slot, offset, inner.slice(0, rows, cols));
      beginning = view;
    }
    return view;
  }

  @Override
  public String toString() {
    return Operands.brackets(rows(), cols()) + " of slot " + slot;
  }
}
