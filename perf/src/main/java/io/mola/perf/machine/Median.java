package io.mola.perf.machine;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The middle of what was measured in rounds. */
public final class Median {
  private final List<Double> values = new ArrayList<>();

  /** One more round. */
  public void add(double value) {
    values.add(value);
  }

  /** Whether nothing was measured. */
  public boolean isEmpty() {
    return values.isEmpty();
  }

  /** The middle value, of an even number the mean of the middle two. */
  public double value() {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}
