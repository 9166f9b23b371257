package io.mola.gguf;

import io.mola.core.quant.QuantType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * One tensor of a GGUF file.
 *
 * @param name as in the file
 * @param type encoding
 * @param dimensions innermost (row length) first, as in the file
 * @param bytes its data in the mapping
 */
record GgufTensor(String name, QuantType type, List<Long> dimensions, MemorySegment bytes) {
  /** Row length. */
  long columns() {
    return dimensions.getFirst();
  }

  /** Product of the other dimensions. */
  long rows() {
    return dimensions.stream().skip(1).mapToLong(Long::longValue).reduce(1, (a, b) -> a * b);
  }
}
