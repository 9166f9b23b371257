package io.mola.core.train;

import io.mola.core.adapter.AdapterParameters;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A finished run.
 *
 * @param adapter layout of the parameters
 * @param parameters trained, flat
 * @param resumedStep steps that the checkpoint had, from which the run went on; 0 without one
 * @param steps one report per step that was done after that
 * @param evalLossBefore loss of the held-back examples before training, if there are any
 * @param evalLoss the same after training
 * @param plan what was planned before the start
 * @param stoppedEarly whether the listener asked to stop before the last step
 * @param backendCounts what the backend counted, {@link io.mola.core.backend.Backend#counts}
 * @param checkpoint the newest checkpoint of the run, if it keeps any
 */
public record FineTuneResult(
    AdapterParameters adapter,
    float[] parameters,
    int resumedStep,
    List<StepReport> steps,
    OptionalDouble evalLossBefore,
    OptionalDouble evalLoss,
    FootprintPlan plan,
    boolean stoppedEarly,
    Map<String, Long> backendCounts,
    Optional<Path> checkpoint) {

  /** Tokens of all steps. */
  public long tokens() {
    return steps.stream().mapToLong(StepReport::tokens).sum();
  }

  /** Tokens per second of the training steps after the first, which warms up; NaN without one. */
  public double tokensPerSecond() {
    List<StepReport> warm = steps.size() > 1 ? steps.subList(1, steps.size()) : List.of();
    long nanos = warm.stream().mapToLong(StepReport::nanos).sum();
    long tokens = warm.stream().mapToLong(StepReport::tokens).sum();
    return tokens * 1e9 / nanos;
  }
}
