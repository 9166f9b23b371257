package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mola.testdata.HostTensor;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link io.mola.core.backend.NormOps}. */
public abstract class NormOpsContract extends BackendContract {
  private static final float EPSILON = 1e-5f;

  private record Norm(HostTensor x, HostTensor gain, HostTensor dy, HostTensor start) {
    /** {@code y = x · gain / sqrt(mean(x²) + ε)}. */
    static double[][] formula(double[][] x, double[] gain) {
      double[][] y = new double[x.length][gain.length];
      for (int t = 0; t < x.length; t++) {
        double r = rstd(x[t]);
        for (int j = 0; j < gain.length; j++) {
          y[t][j] = x[t][j] * r * gain[j];
        }
      }
      return y;
    }

    static double rstd(double[] row) {
      return 1 / Math.sqrt(Doubles.dot(row, row) / row.length + EPSILON);
    }
  }

  private Norm norm(int n, int d, double deviation) {
    Random random = new Random(100L * n + d);
    return new Norm(
        activations(n, d, deviation, random),
        HostTensor.random(1, d, 1, random),
        activations(n, d, 1, random),
        activations(n, d, 1, random));
  }

  private static Experiment forward(Norm norm) {
    return bench ->
        bench
            .backend()
            .norm()
            .rmsForward(
                bench.activation("x", norm.x),
                bench.f32("gain", norm.gain),
                EPSILON,
                bench.activationOutput("y", norm.x.rows(), norm.x.cols()),
                bench.f32Output("rstd", norm.x.rows(), 1));
  }

  private static Experiment backward(Norm norm, HostTensor rstd) {
    return bench ->
        bench
            .backend()
            .norm()
            .rmsBackward(
                bench.activation("dy", norm.dy),
                bench.activation("x", norm.x),
                bench.f32("gain", norm.gain),
                bench.f32("rstd", rstd),
                bench.activationSum("dx", norm.start));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 7, 17, 131})
  void bothDirectionsMatchTheReference(int tokens) {
    for (int d : new int[] {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 67, 576}) {
      for (double deviation : new double[] {1, 1e-3, 300}) {
        Norm norm = norm(tokens, d, deviation);
        HostTensor rstd = runReference(forward(norm)).get("rstd");
        Outputs actual = run(forward(norm));
        Tolerance.NORM_RSTD.check("rstd", actual.get("rstd"), rstd, precision());
        Tolerance.NORM.check(
            "y", actual.get("y"), runReference(forward(norm)).get("y"), precision());
        matchesReference(Tolerance.NORM, backward(norm, rstd));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "4, 1", "17, 1", "17, 0.003"})
  void forwardAndGradientFollowTheFormula(int d, double deviation) {
    Norm norm = norm(3, d, deviation);
    double[][] x = norm.x.toRows();
    double[] gain = norm.gain.toDoubles();
    Outputs forward = run(forward(norm));
    near(Tolerance.NORM, "y", forward, Norm.formula(x, gain));
    double[][] expected =
        Doubles.gradient(x, changed -> Doubles.dot(norm.dy.toRows(), Norm.formula(changed, gain)));
    near(
        Tolerance.NORM,
        "dx",
        run(backward(norm, forward.get("rstd"))),
        Doubles.plus(expected, norm.start.toRows()));
  }

  @Test
  void aRowOfZerosStaysZero() {
    Norm norm = norm(2, 9, 1);
    for (int j = 0; j < 9; j++) {
      norm.x.set(1, j, 0);
    }
    Outputs forward = run(forward(norm));
    for (int j = 0; j < 9; j++) {
      assertThat(forward.get("y").get(1, j)).isZero();
    }
    assertThat((double) forward.get("rstd").get(1, 0))
        .isCloseTo(1 / Math.sqrt(EPSILON), within(1e-3));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void nonFiniteInputsShowInTheirRowsOnly(float bad) {
    Norm norm = norm(5, 17, 1);
    norm.x.set(2, 16, bad);
    HostTensor y = run(forward(norm)).get("y");
    for (int t = 0; t < 5; t++) {
      assertThat(Float.isNaN(y.get(t, 16))).as("row %d", t).isEqualTo(t == 2);
    }
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    Norm norm = norm(131, 67, 1);
    sameBitsForAnyThreads(forward(norm));
    sameBitsForAnyThreads(backward(norm, run(forward(norm)).get("rstd")));
  }
}
