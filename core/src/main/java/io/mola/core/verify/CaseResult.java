package io.mola.core.verify;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What replaying one recorded case gave.
 *
 * @param name the case
 * @param measures differences, in the order measured
 * @param failure why the case could not be run; null if it ran
 */
public record CaseResult(String name, List<Measure> measures, @Nullable String failure) {
  /** Copies the list; a case that ran and measured nothing proves nothing and is refused. */
  public CaseResult {
    measures = List.copyOf(measures);
    if (measures.isEmpty() && failure == null) {
      throw new IllegalArgumentException("case " + name + " measured nothing");
    }
  }

  /** A case that ran. */
  public static CaseResult measured(String name, List<Measure> measures) {
    return new CaseResult(name, measures, null);
  }

  /** A case that could not be run. */
  public static CaseResult failed(String name, String failure) {
    return new CaseResult(name, List.of(), failure);
  }

  /** Whether it ran and every measure is within its tolerance. */
  public boolean ok() {
    return failure == null && measures.stream().allMatch(Measure::ok);
  }

  /**
   * One difference.
   *
   * @param key for example {@code logits_max_abs}
   * @param value as measured; NaN never passes
   * @param tolerance largest value that passes
   */
  public record Measure(String key, double value, double tolerance) {
    /** Whether the value is within the tolerance. */
    public boolean ok() {
      return value <= tolerance;
    }
  }
}
