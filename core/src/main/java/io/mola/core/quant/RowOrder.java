package io.mola.core.quant;

/**
 * Where a logical row of a matrix lies in its file.
 *
 * <p>GGUF files of architecture llama store the rows of q and k so that rotary pairs are neighbours
 * (2i, 2i+1) within each head; the Hugging Face order, which mola uses everywhere, pairs (i, i +
 * d/2). Rows are whole runs of blocks, so the order costs nothing when a row is looked up.
 *
 * @param headDim 0: file order is logical order; otherwise each run of {@code headDim} rows is one
 *     head in paired order
 */
public record RowOrder(int headDim) {
  /** Rows lie in logical order. */
  public static final RowOrder PLAIN = new RowOrder(0);

  /** The head dimension must be even. */
  public RowOrder {
    if (headDim < 0 || headDim % 2 != 0) {
      throw new IllegalArgumentException("head dim " + headDim + " must be even");
    }
  }

  /** File row of the logical row. */
  public int fileRow(int row) {
    if (headDim == 0) {
      return row;
    }
    int half = headDim / 2;
    int within = row % headDim;
    int head = row - within;
    return head + (within < half ? 2 * within : 2 * (within - half) + 1);
  }

  /** Logical row of the file row: the inverse of {@link #fileRow}. */
  public int logicalRow(int fileRow) {
    if (headDim == 0) {
      return fileRow;
    }
    int within = fileRow % headDim;
    int head = fileRow - within;
    return head + within / 2 + (within % 2 == 0 ? 0 : headDim / 2);
  }
}
