package io.mola.core.safetensors;

import java.lang.foreign.MemorySegment;
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
  /** Copies the shape. */
  public SafetensorsTensor {
    shape = List.copyOf(shape);
  }

  /** Size of its data in bytes. */
  public long byteSize() {
    return bytes.byteSize();
  }

  /** Whether the shape is [rows, cols]. */
  public boolean hasShape(long rows, long cols) {
    return shape.equals(List.of(rows, cols));
  }
}
