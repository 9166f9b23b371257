package io.mola.testdata.contract;

import io.mola.testdata.HostTensor;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What an experiment left in the tensors that it declared as outputs.
 *
 * @param byName the tensors as they were downloaded
 */
record Outputs(Map<String, HostTensor> byName) {
  /** The output of that name; an experiment without it is wrong. */
  HostTensor get(String name) {
    HostTensor output = byName.get(name);
    if (output == null) {
      throw new IllegalArgumentException("no output " + name + " among " + names());
    }
    return output;
  }

  /** The output of that name, null if the experiment has none. */
  @Nullable HostTensor find(String name) {
    return byName.get(name);
  }

  Set<String> names() {
    return byName.keySet();
  }

  void forEach(BiConsumer<String, HostTensor> action) {
    byName.forEach(action);
  }
}
