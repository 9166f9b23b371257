package io.mola.core.verify;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.backend.Backend;
import io.mola.core.verify.CaseResult.Measure;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Compares two backends on the same model and data: logits, loss, every gradient of the first step,
 * and losses and parameters over some steps. Differences are relative, so that one tolerance holds
 * for all: of logits and gradients to the largest element of their tensor, of parameters to the way
 * that they have gone (in the 2-norm).
 *
 * <p>AdamW divides a gradient by its own size. Where a gradient is rounding noise, its sign is too,
 * so parameters may be {@link #MOVES} times as far apart as the tolerance says.
 */
public final class ParityVerifier {
  /** Small enough that a tolerance for BF16, 5e-2, still asks for something. */
  private static final double MOVES = 10;

  private final ParityRun run;
  private final double tolerance;

  /**
   * @param tolerance largest relative difference that passes
   */
  public ParityVerifier(ParityRun run, double tolerance) {
    this.run = run;
    this.tolerance = tolerance;
  }

  /**
   * Runs on one backend after the other; each is opened when its turn comes and closed after it, so
   * that the memory of one is enough.
   *
   * @return one case for the whole, one for each tensor's gradient
   */
  public List<CaseResult> compare(
      String name, Supplier<Backend> backend, Supplier<Backend> against) {
    TrainingTrace own = trace(backend);
    TrainingTrace other = trace(against);
    List<CaseResult> cases = new ArrayList<>();
    cases.add(
        CaseResult.measured(
            name,
            List.of(
                measure("logits_rel", relative(own.logits(), other.logits())),
                measure("loss_rel", Math.abs(own.losses()[0] / other.losses()[0] - 1)),
                measure("losses_rel", losses(own.losses(), other.losses())),
                new Measure("parameters_rel", parameters(own, other), MOVES * tolerance))));
    AdapterParameters adapter = new AdapterParameters(run.source().config(), run.shape());
    for (AdapterTensor tensor : adapter.tensors()) {
      cases.add(
          CaseResult.measured(
              "gradient of " + tensor.name(),
              List.of(
                  measure(
                      "gradient_rel",
                      relative(tensor.read(own.gradients()), tensor.read(other.gradients()))))));
    }
    return cases;
  }

  private TrainingTrace trace(Supplier<Backend> opening) {
    try (Backend backend = opening.get()) {
      return TrainingTrace.of(backend, run);
    }
  }

  private Measure measure(String key, double value) {
    return new Measure(key, value, tolerance);
  }

  /** Largest difference of losses, as a share of the loss; NaN if one is not a number. */
  private static double losses(double[] own, double[] other) {
    double worst = 0;
    for (int s = 0; s < own.length; s++) {
      worst = RecordedFloats.worse(worst, Math.abs(own[s] / other[s] - 1));
    }
    return worst;
  }

  /** Largest difference, as a share of the largest element; NaN if an element is not a number. */
  private static double relative(float[] own, float[] other) {
    double largest = Float.MIN_NORMAL;
    double difference = 0;
    for (int i = 0; i < own.length; i++) {
      largest = Math.max(largest, Math.abs(other[i]));
      difference = RecordedFloats.worse(difference, Math.abs((double) own[i] - other[i]));
    }
    return difference / largest;
  }

  /** {@code ‖own − other‖ / ‖other − start‖}. */
  private static double parameters(TrainingTrace own, TrainingTrace other) {
    double apart = 0;
    double moved = 0;
    for (int i = 0; i < own.parameters().length; i++) {
      double d = (double) own.parameters()[i] - other.parameters()[i];
      double m = (double) other.parameters()[i] - other.start()[i];
      apart += d * d;
      moved += m * m;
    }
    return Math.sqrt(apart / Math.max(moved, Float.MIN_NORMAL));
  }
}
