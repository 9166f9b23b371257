package io.mola.core.backend;

import io.mola.core.tensor.Tensor;

/**
 * A tensor that knows where it lies, so that overlaps show.
 *
 * @param region the region whose memory it views
 * @param slot the slot's name
 * @param offset first element within the slot
 * @param inner the view as the backend made it
 */
record CheckedTensor(CheckedRegion region, String slot, long offset, Tensor inner)
    implements Tensor {
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
    return new CheckedTensor(region, slot, offset + start, inner.slice(start, rows, cols));
  }

  @Override
  public String toString() {
    return Operands.brackets(rows(), cols()) + " of slot " + slot;
  }
}
