package io.mola.core.backend;

import io.mola.core.tensor.IntTensor;

/**
 * An int32 tensor whose region is known.
 *
 * @param region the region whose memory it views
 * @param slot the slot's name
 * @param inner the view as the backend made it
 */
record CheckedIntTensor(CheckedRegion region, String slot, IntTensor inner) implements IntTensor {
  boolean belongsTo(Operands operands) {
    return region.belongsTo(operands);
  }

  /** The backend's own tensor. */
  IntTensor unwrap() {
    region.requireOpen(slot);
    return inner;
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
  public IntTensor top(int rows) {
    if (rows < 0 || rows > rows()) {
      throw new IllegalArgumentException(
          "top " + rows + " rows of " + Operands.brackets(rows(), cols()) + " of slot " + slot);
    }
    return new CheckedIntTensor(region, slot, inner.top(rows));
  }
}
