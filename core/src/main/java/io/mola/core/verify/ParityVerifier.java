package io.mola.core.verify;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.backend.Backend;
import io.mola.core.backend.InnerPrecision;
import io.mola.core.verify.CaseResult.Measure;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/**
 * Compares two backends on the same model and data: logits, loss, every gradient of the first step,
 * and losses and parameters over some steps. Differences are relative, so that one tolerance holds
 * for all: of logits and gradients to the largest element of their tensor, of parameters to the way
 * that they have gone (in the 2-norm); these may be {@link Tolerances#MOVES} times as far apart as
 * the tolerance says. Where a backend rounds more coarsely than float32 and no tolerance is given,
 * those of {@link Tolerances} hold, in the 2-norm throughout.
 */
public final class ParityVerifier {
  /** For two backends of float32, whatever their order of summation. */
  private static final double FLOAT32 = 1e-3;

  private final ParityRun run;
  private final OptionalDouble given;

  /**
   * @param given largest relative difference that passes; empty: what the rounding of the coarser
   *     backend lets one expect
   */
  public ParityVerifier(ParityRun run, OptionalDouble given) {
    this.run = run;
    this.given = given;
  }

  /**
   * Runs on one backend after the other; each is opened when its turn comes and closed after it, so
   * that the memory of one is enough.
   *
   * @return one case for the whole, one for each tensor's gradient or kind of tensors
   */
  public List<CaseResult> compare(
      String name, Supplier<Backend> backend, Supplier<Backend> against) {
    TrainingTrace own = trace(backend);
    TrainingTrace other = trace(against);
    boolean bySums =
        given.isEmpty() && coarser(own.precision(), other.precision()) != InnerPrecision.F32;
    double tolerance = given.orElseGet(() -> expected(own.precision(), other.precision()));
    List<CaseResult> cases = new ArrayList<>();
    cases.add(
        CaseResult.measured(
            name,
            List.of(
                new Measure(
                    "logits_rel",
                    bySums
                        ? ofSize(own.logits(), other.logits())
                        : relative(own.logits(), other.logits()),
                    tolerance),
                new Measure(
                    "loss_rel", Math.abs(own.losses()[0] / other.losses()[0] - 1), tolerance),
                new Measure("losses_rel", losses(own.losses(), other.losses()), tolerance),
                new Measure(
                    "parameters_rel",
                    RecordedFloats.ofWay(own.parameters(), other.parameters(), other.start()),
                    bySums
                        ? Tolerances.way(tolerance)
                        : Tolerances.largest(Tolerances.MOVES, tolerance)))));
    AdapterParameters adapter = new AdapterParameters(run.source().config(), run.shape());
    if (bySums) {
      cases.addAll(gradientsByKind(adapter, own.gradients(), other.gradients(), tolerance));
      return cases;
    }
    for (AdapterTensor tensor : adapter.tensors()) {
      cases.add(
          CaseResult.measured(
              "gradient of " + tensor.name(),
              List.of(
                  new Measure(
                      "gradient_rel",
                      relative(tensor.read(own.gradients()), tensor.read(other.gradients())),
                      tolerance))));
    }
    return cases;
  }

  private TrainingTrace trace(Supplier<Backend> opening) {
    try (Backend backend = opening.get()) {
      return TrainingTrace.of(backend, run);
    }
  }

  /**
   * All gradients as one vector, then those of all blocks for each projection and kind: a pick of
   * an expert that turned over makes the gradient of a single tensor another one.
   */
  static List<CaseResult> gradientsByKind(
      AdapterParameters adapter, float[] own, float[] other, double tolerance) {
    Map<String, List<AdapterTensor>> kinds = new LinkedHashMap<>();
    kinds.put("all gradients", adapter.tensors());
    for (AdapterTensor tensor : adapter.tensors()) {
      String name = "gradients of " + tensor.projection().shortName() + " " + tensor.kind();
      kinds.computeIfAbsent(name, any -> new ArrayList<>()).add(tensor);
    }
    List<CaseResult> cases = new ArrayList<>();
    kinds.forEach((name, tensors) -> {
      float[] one = joined(tensors, own);
      double off = ofSize(one, joined(tensors, other));
      boolean routers = tensors.stream().allMatch(t -> t.kind() == AdapterTensor.Kind.ROUTER);
      double factor = routers ? Tolerances.ROUTER_GRADIENTS : Tolerances.GRADIENTS;
      double most = Tolerances.largest(factor, tolerance);
      cases.add(CaseResult.measured(name, List.of(new Measure("gradients_rel", off, most))));
    });
    return cases;
  }

  private static float[] joined(List<AdapterTensor> tensors, float[] flat) {
    float[] joined = new float[tensors.stream().mapToInt(AdapterTensor::size).sum()];
    int at = 0;
    for (AdapterTensor tensor : tensors) {
      System.arraycopy(tensor.read(flat), 0, joined, at, tensor.size());
      at += tensor.size();
    }
    return joined;
  }

  private static InnerPrecision coarser(InnerPrecision one, InnerPrecision two) {
    return one.unitRoundoff() < two.unitRoundoff() ? two : one;
  }

  private double expected(InnerPrecision one, InnerPrecision two) {
    InnerPrecision coarser = coarser(one, two);
    return coarser == InnerPrecision.F32
        ? FLOAT32
        : new Tolerances(coarser, run.source().config().layers()).relative();
  }

  /** Largest difference of losses, as a share of the loss; NaN if one is not a number. */
  private static double losses(double[] own, double[] other) {
    double worst = 0;
    for (int s = 0; s < own.length; s++) {
      worst = RecordedFloats.worse(worst, Math.abs(own[s] / other[s] - 1));
    }
    return worst;
  }

  /** {@code ‖own − other‖ / ‖other‖}. */
  private static double ofSize(float[] own, float[] other) {
    return RecordedFloats.ofWay(own, other, new float[own.length]);
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
}
