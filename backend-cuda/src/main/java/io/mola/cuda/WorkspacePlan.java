package io.mola.cuda;

import io.mola.cuda.driver.Element;
import io.mola.cuda.driver.Products;
import io.mola.cuda.driver.Workspace;

/** An upper bound of the scratch memory of any operation. */
final class WorkspacePlan {
  /** Pieces that an operation takes at most, each padded. */
  private static final int PIECES = 32;

  private WorkspacePlan() {}

  /**
   * The backward pass of a group needs a decoded tile, the dropped input and the gradient behind
   * dropout, du, u and dz, and the group's parameters as operands; the loss a decoded tile, the
   * gradient of as many logits, and the gradient of its input.
   */
  static long bytes(int tokens, int widest, int stackedRank, Element activation) {
    long operand = activation.bytes();
    long tiles = 2 * FrozenProducts.largestTile(Math.max(widest, tokens)) * operand;
    long inputs = 2L * tokens * widest * Math.max(operand, Float.BYTES);
    long mixed = (long) tokens * stackedRank * (Float.BYTES + 4 * operand);
    long parameters = 6L * stackedRank * widest * operand;
    return tiles
        + inputs
        + mixed
        + parameters
        + (long) PIECES * Workspace.ALIGNMENT
        + Products.WORKSPACE_BYTES;
  }
}
