package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.data.Example;
import io.mola.core.weights.ModelConfig;
import java.util.List;

/**
 * What a process has resident besides the buffers of the computation. The constants are measured on
 * Linux, 64 bits, with the launcher's options and malloc's threshold, from /proc/self/smaps at the
 * largest resident set.
 *
 * @param parameterArrays arrays of all parameters outside the backend
 * @param examples the data set as tokens
 * @param tokenizer the tokenizer library's own tables
 * @param java virtual machine, classes, compiled code, compilers, small objects
 */
public record ProcessFootprint(long parameterArrays, long examples, long tokenizer, long java) {
  /** The virtual machine and system libraries, and the machine's archive of classes. */
  private static final long MACHINE_BYTES = 44L << 20;

  /** Loaded classes and compiled code. */
  private static final long CODE_BYTES = 28L << 20;

  /** What the compilers work with in the first steps, on a busy machine too. */
  private static final long COMPILER_BYTES = 39L << 20;

  /** Room of young objects (-Xmn of the launcher), all of which is touched again and again. */
  private static final long YOUNG_BYTES = 24L << 20;

  /** Small objects that live for the whole run. */
  private static final long OBJECT_BYTES = 10L << 20;

  /** A word in the tokenizer library: two tables, merges. */
  private static final long BYTES_PER_WORD = 1200;

  /** An example besides its tokens. */
  private static final long BYTES_PER_EXAMPLE = 160;

  /**
   * Of a run.
   *
   * @param copies arrays of all parameters: 1 to save them from; 2 where an adapter is read too
   * @param data all examples
   */
  public static ProcessFootprint of(
      ModelConfig config, AdapterParameters adapter, int copies, List<Example> data) {
    long tokens = data.stream().mapToLong(Example::length).sum();
    return new ProcessFootprint(
        copies * (long) Float.BYTES * adapter.size(),
        2 * Integer.BYTES * tokens + BYTES_PER_EXAMPLE * data.size(),
        BYTES_PER_WORD * config.vocabularySize(),
        MACHINE_BYTES + CODE_BYTES + COMPILER_BYTES + YOUNG_BYTES + OBJECT_BYTES);
  }

  /** All of it. */
  public long bytes() {
    return parameterArrays + examples + tokenizer + java;
  }
}
