package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.OptimizerOps.AdamWStep;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.Fixtures;
import io.mola.testdata.HostTensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** {@link io.mola.core.backend.OptimizerOps}. */
public abstract class OptimizerOpsContract extends BackendContract {
  private record Moments(HostTensor p, HostTensor g, HostTensor m, HostTensor v) {
    static Moments random(int rows, int cols) {
      Random random = new Random(cols);
      HostTensor v = HostTensor.generate(rows, cols, () -> 0.01 * Math.abs(random.nextGaussian()));
      return new Moments(
          HostTensor.random(rows, cols, 1, random),
          HostTensor.random(rows, cols, 0.1, random),
          HostTensor.random(rows, cols, 0.1, random),
          v);
    }
  }

  private static Experiment adamW(Moments at, AdamWStep step) {
    return bench ->
        bench
            .backend()
            .optimizer()
            .adamW(
                bench.f32Sum("p", at.p),
                bench.f32("g", at.g),
                bench.f32Sum("m", at.m),
                bench.f32Sum("v", at.v),
                step);
  }

  private static Experiment squaredNorm(HostTensor gradient, float start) {
    return bench ->
        bench
            .backend()
            .optimizer()
            .squaredNorm(
                bench.f32("g", gradient), bench.f32Sum("sum", HostTensor.filled(1, 1, start)));
  }

  private static Experiment clip(HostTensor gradient, float squaredNorm, float maxNorm) {
    return bench ->
        bench
            .backend()
            .optimizer()
            .clip(
                bench.f32Sum("g", gradient),
                bench.f32("norm", HostTensor.filled(1, 1, squaredNorm)),
                maxNorm);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 67, 5003})
  void adamWMatchesTheReference(int cols) {
    for (int t : new int[] {1, 2, 10, 5000}) {
      AdamWStep step = new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.1, t);
      matchesReference(Tolerance.OPTIMIZER, adamW(Moments.random(1 + t % 2, cols), step));
    }
  }

  @Test
  void adamWFollowsTheFormula() {
    Moments at = Moments.random(1, 17);
    AdamWStep step = new AdamWStep(0.05, 0.8, 0.95, 1e-6, 0.2, 3);
    Outputs actual = run(adamW(at, step));
    double[] expected = new double[17];
    for (int i = 0; i < 17; i++) {
      double g = at.g.get(0, i);
      double m = 0.8 * at.m.get(0, i) + 0.2 * g;
      double v = 0.95 * at.v.get(0, i) + 0.05 * g * g;
      double root = Math.sqrt(v / (1 - Math.pow(0.95, 3))) + 1e-6;
      expected[i] = at.p.get(0, i) * (1 - 0.05 * 0.2) - 0.05 * (m / (1 - Math.pow(0.8, 3))) / root;
    }
    near(Tolerance.OPTIMIZER, "p", actual, expected);
  }

  @Test
  void aParameterWithoutGradientStillMovesByItsMomentum() {
    HostTensor zero = HostTensor.filled(1, 3, 0);
    Moments at =
        new Moments(zero, zero, HostTensor.filled(1, 3, 0.1f), HostTensor.filled(1, 3, 0.01f));
    HostTensor p = run(adamW(at, new AdamWStep(0.1, 0.9, 0.999, 1e-8, 0, 2))).get("p");
    assertThat(p.get(0, 2)).isNegative();
  }

  @TestFactory
  List<DynamicTest> tenStepsAreAsRecorded() {
    return Fixtures.json("golden/adamw/adamw.json")
        .get("cases")
        .valueStream()
        .map(recorded ->
            DynamicTest.dynamicTest(recorded.get("name").stringValue(), () -> replay(recorded)))
        .toList();
  }

  /** All tensors of a case lie in one flat tensor, as trainable parameters do. */
  private void replay(JsonNode recorded) {
    HostTensor p = flat(recorded.get("initial"));
    int size = p.cols();
    HostTensor m = HostTensor.filled(1, size, 0);
    HostTensor v = HostTensor.filled(1, size, 0);
    JsonNode maxNorm = recorded.get("max_grad_norm");
    for (int t = 1; t <= recorded.get("gradients").size(); t++) {
      HostTensor g = flat(recorded.get("gradients").get(t - 1));
      AdamWStep step =
          new AdamWStep(
              recorded.get("lr_per_step").get(t - 1).doubleValue(),
              recorded.get("betas").get(0).doubleValue(),
              recorded.get("betas").get(1).doubleValue(),
              recorded.get("eps").doubleValue(),
              recorded.get("weight_decay").doubleValue(),
              t);
      Moments at = new Moments(p, g, m, v);
      Outputs after =
          run(bench -> step(bench, at, step, maxNorm.isNull() ? 0 : maxNorm.floatValue()));
      p = after.get("p");
      m = after.get("m");
      v = after.get("v");
      near(Tolerance.OPTIMIZER_RUN, "p", after, flat(recorded.get("after").get(t - 1)).toDoubles());
    }
  }

  private static void step(Bench bench, Moments at, AdamWStep step, float maxNorm) {
    Tensor gradient = bench.f32Sum("g", at.g);
    if (maxNorm > 0) {
      Tensor sum = bench.f32Sum("sum", HostTensor.filled(1, 1, 0));
      bench.backend().optimizer().squaredNorm(gradient, sum);
      bench.backend().optimizer().clip(gradient, sum, maxNorm);
    }
    bench
        .backend()
        .optimizer()
        .adamW(
            bench.f32Sum("p", at.p),
            gradient,
            bench.f32Sum("m", at.m),
            bench.f32Sum("v", at.v),
            step);
  }

  private static HostTensor flat(JsonNode tensors) {
    double[] values =
        tensors
            .valueStream()
            .map(HostTensorJson::doubles)
            .flatMapToDouble(Arrays::stream)
            .toArray();
    return HostTensor.of(new double[][] {values});
  }

  /** Values of very different size: a plain float32 sum would lose the small ones. */
  @ParameterizedTest
  @ValueSource(ints = {1, 7, 67, 4099, 100_003})
  void squaredNormIsAsGoodAsInDouble(int cols) {
    Random random = new Random(cols);
    HostTensor g =
        HostTensor.generate(
            1, cols, () -> random.nextGaussian() * Math.pow(10, random.nextInt(-3, 1)));
    double expected = 0.5 + Doubles.dot(g.toDoubles(), g.toDoubles());
    near(Tolerance.SQUARED_NORM, "sum", run(squaredNorm(g, 0.5f)), new double[] {expected});
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 16, 17, 67})
  void clipScalesDownOnlyWhatIsTooLong(int cols) {
    HostTensor g = HostTensor.random(3, cols, 1, new Random(cols));
    matchesReference(Tolerance.CLIP, clip(g, 9, 0.5f));
    double factor = 5e-5 / (1e-4 + 1e-6);
    double[] expected = Arrays.stream(g.toDoubles()).map(value -> value * factor).toArray();
    near(Tolerance.CLIP, "g", run(clip(g, 1e-8f, 5e-5f)), expected);
    sameBits("short enough", run(clip(g, 9, 4)).get("g"), g);
  }

  @Test
  void aNormThatIsNotFiniteIsNeverHidden() {
    HostTensor g = HostTensor.filled(1, 9, 1);
    g.set(0, 8, Float.NaN);
    assertThat(run(squaredNorm(g, 0)).get("sum").values()).containsExactly(Float.NaN);
    assertThat(run(clip(HostTensor.filled(1, 9, 1), Float.NaN, 1)).get("g").values())
        .containsOnly(Float.NaN);
    g.set(0, 8, Float.POSITIVE_INFINITY);
    assertThat(run(squaredNorm(g, 0)).get("sum").values()).containsExactly(Float.POSITIVE_INFINITY);
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    HostTensor g = HostTensor.random(1, 100_003, 1, new Random(1));
    sameBitsForAnyThreads(squaredNorm(g, 0));
    sameBitsForAnyThreads(clip(g, 9, 0.5f));
    sameBitsForAnyThreads(
        adamW(Moments.random(1, 70_001), new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, 4)));
  }
}
