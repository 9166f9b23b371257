package io.mola.simd.tiles;

import io.mola.core.quant.BlockCodes;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowDecoder;
import io.mola.core.quant.StoredMatrix;
import io.mola.simd.lanes.VectorWidth;
import io.mola.simd.work.WorkerPool;
import java.util.function.ObjIntConsumer;

/**
 * Makes panels of frozen matrices, coded as the file is coded: quantised weights cost the kernel
 * nothing, because a block is widened once and used by many tokens, and there is less to read.
 *
 * <p>Packed or streamed, the widened weights have the same bits: q · scale + minimum in one
 * rounding is what the row decoders compute.
 */
public final class FrozenPanels {
  /** Which product the panels are for. */
  public enum Direction {
    /** {@code y = x · Wᵀ}. */
    FORWARD,
    /** {@code dx += dy · W}. */
    BACKWARD
  }

  /** Rows of a task of the backward direction, where a panel gets a part of each row. */
  private static final int ROWS_PER_TASK = 32;

  /** Largest array, less what virtual machines keep for themselves. */
  private static final long LONGEST_ARRAY = Integer.MAX_VALUE - 16;

  private FrozenPanels() {}

  /** Panels that decode at each use and keep nothing. */
  public static Panels stream(StoredMatrix matrix, Direction direction) {
    return direction == Direction.FORWARD ? new StreamedRows(matrix) : new StreamedColumns(matrix);
  }

  /** Whether one array can hold the panels. */
  public static boolean isPackable(int out, int in) {
    long weights = Math.max(FloatPanels.size(in, out), FloatPanels.size(out, in));
    return weights + VectorWidth.BYTE_SLACK <= LONGEST_ARRAY;
  }

  /** Bytes of the panels of an [out, in] matrix. */
  public static long bytes(QuantType type, int out, int in, Direction direction) {
    boolean forward = direction == Direction.FORWARD;
    long weights = forward ? FloatPanels.size(in, out) : FloatPanels.size(out, in);
    return switch (type) {
      case F32 -> 4 * weights;
      case F16, BF16 -> 2 * weights;
      default -> {
        if (isSigned(type, forward)) {
          yield SignedForwardPanels.bytes(weights);
        }
        int block = BlockCodes.subBlock(type);
        long scales = forward ? weights / block : (long) (in / block) * out;
        yield (isNibble(type) ? weights / 2 : weights) + VectorWidth.BYTE_SLACK + 8 * scales;
      }
    };
  }

  /**
   * Packs a matrix.
   *
   * @throws io.mola.core.failure.MalformedFileException if a value is not finite
   */
  public static Panels pack(StoredMatrix matrix, Direction direction, WorkerPool pool) {
    boolean forward = direction == Direction.FORWARD;
    int k = forward ? matrix.in() : matrix.out();
    int n = forward ? matrix.out() : matrix.in();
    return switch (matrix.type()) {
      case F32 -> {
        FloatPanels panels = new FloatPanels(k, n);
        decoded(matrix, pool, (values, row) -> put(panels, forward, row, values));
        yield panels;
      }
      case F16, BF16 -> {
        HalfPanels panels = new HalfPanels(k, n, matrix.type() == QuantType.BF16);
        decoded(matrix, pool, (values, row) -> put(panels, forward, row, values));
        yield panels;
      }
      default -> {
        CodedPanels panels = coded(matrix.type(), k, n, forward);
        codes(matrix, pool, panels);
        yield panels;
      }
    };
  }

  private static boolean isNibble(QuantType type) {
    return type == QuantType.Q4_0 || type == QuantType.Q4_1 || type == QuantType.Q4_K;
  }

  private static boolean isSigned(QuantType type, boolean forward) {
    return forward && type == QuantType.Q8_0;
  }

  private static CodedPanels coded(QuantType type, int k, int n, boolean forward) {
    if (isNibble(type)) {
      return forward ? new NibbleForwardPanels(k, n) : new NibbleBackwardPanels(k, n);
    }
    if (isSigned(type, forward)) {
      return new SignedForwardPanels(k, n);
    }
    int block = BlockCodes.subBlock(type);
    return forward ? new ByteForwardPanels(k, n, block) : new ByteBackwardPanels(k, n, block);
  }

  private static void put(FloatPanels panels, boolean forward, int row, float[] values) {
    if (forward) {
      panels.putOutput(row, values);
    } else {
      panels.putSummand(row, values);
    }
  }

  private static void put(HalfPanels panels, boolean forward, int row, float[] values) {
    if (forward) {
      panels.putOutput(row, values);
    } else {
      panels.putSummand(row, values);
    }
  }

  private static void decoded(
      StoredMatrix matrix, WorkerPool pool, ObjIntConsumer<float[]> consumer) {
    pool.run(
        PackedActivations.ceiling(matrix.out(), ROWS_PER_TASK),
        (task, worker) -> {
          float[] values = new float[matrix.in()];
          int end = Math.min(matrix.out(), (task + 1) * ROWS_PER_TASK);
          for (int row = task * ROWS_PER_TASK; row < end; row++) {
            RowDecoder.decodeRow(matrix, row, values, 0);
            RowDecoder.requireFinite(matrix, row, values, 0);
            consumer.accept(values, row);
          }
        });
  }

  private static void codes(StoredMatrix matrix, WorkerPool pool, CodedPanels panels) {
    int scales = matrix.in() / BlockCodes.subBlock(matrix.type());
    pool.run(
        PackedActivations.ceiling(matrix.out(), ROWS_PER_TASK),
        (task, worker) -> {
          byte[] q = new byte[matrix.in()];
          float[] scale = new float[scales];
          float[] minimum = new float[scales];
          int end = Math.min(matrix.out(), (task + 1) * ROWS_PER_TASK);
          for (int row = task * ROWS_PER_TASK; row < end; row++) {
            BlockCodes.codes(matrix, row, q, scale, minimum);
            panels.put(row, q, scale, minimum);
          }
        });
  }
}
