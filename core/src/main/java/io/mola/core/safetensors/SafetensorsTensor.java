package io.mola.core.safetensors;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * One tensor of a safetensors file.
 *
 * @param name unique within the file
 * @param dtype as in the header, for example {@code BF16}
 * @param shape outermost first; empty for a scalar
 * @param bytes its data in the mapping
 */
public record SafetensorsTensor(String name, String dtype, List<Long> shape, MemorySegment bytes) {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Copies the shape. */
  public SafetensorsTensor {
    shape = List.copyOf(shape);
  }

  /** Size of its data in bytes. */
  public long byteSize() {
    return bytes.byteSize();
  }

  /**
   * Copies float32 elements to the start of an array.
   *
   * @param first of them
   * @param count of them
   * @throws IllegalArgumentException if the tensor is of another type
   * @throws IndexOutOfBoundsException if it has fewer
   */
  public void floats(long first, float[] to, int count) {
    if (!dtype.equals("F32")) {
      throw new IllegalArgumentException(name + " is " + dtype);
    }
    MemorySegment.copy(bytes, FLOAT, first * Float.BYTES, to, 0, count);
  }

  /** Whether the shape is [rows, cols]. */
  public boolean hasShape(long rows, long cols) {
    return shape.equals(List.of(rows, cols));
  }
}
