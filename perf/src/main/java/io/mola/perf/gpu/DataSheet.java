package io.mola.perf.gpu;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What data sheets promise: products of dense bfloat16 matrices with float sums, in 1e12 operations
 * per second. Utilisation of a model is counted against it.
 */
final class DataSheet {
  /** By a part of the device's name; the first that fits counts. */
  private static final Map<String, Double> BF16 = new LinkedHashMap<>();

  static {
    BF16.put("B200", 2250.0);
    BF16.put("H200 NVL", 835.0);
    BF16.put("H200", 989.0);
    BF16.put("H100 PCIe", 756.0);
    BF16.put("H100 NVL", 835.0);
    BF16.put("H100", 989.0);
    BF16.put("A100", 312.0);
    BF16.put("L40S", 362.0);
    BF16.put("RTX 4090", 165.0);
  }

  private DataSheet() {}

  /** Of the device of that name; empty if it is not in the table. */
  static Optional<Double> bf16TeraFlops(String device) {
    return BF16.entrySet().stream()
        .filter(entry -> device.contains(entry.getKey()))
        .map(Map.Entry::getValue)
        .findFirst();
  }
}
