package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link io.mola.core.backend.ActivationOps}. */
public abstract class ActivationOpsContract extends BackendContract {
  private record Swiglu(HostTensor gate, HostTensor up, HostTensor dy) {}

  private Swiglu swiglu(int n, int f, double deviation) {
    Random random = new Random(1000L * n + f);
    return new Swiglu(
        activations(n, f, deviation, random),
        activations(n, f, 1, random),
        activations(n, f, 1, random));
  }

  private static Experiment forward(Swiglu at) {
    return bench ->
        bench
            .backend()
            .activation()
            .swigluForward(
                bench.activation("gate", at.gate),
                bench.activation("up", at.up),
                bench.activationOutput("y", at.gate.rows(), at.gate.cols()));
  }

  private static Experiment backward(Swiglu at, boolean inPlace) {
    return bench -> {
      int n = at.gate.rows();
      int f = at.gate.cols();
      Tensor dGate =
          inPlace ? bench.activationSum("dGate", at.dy) : bench.activationOutput("dGate", n, f);
      bench
          .backend()
          .activation()
          .swigluBackward(
              inPlace ? dGate : bench.activation("dy", at.dy),
              bench.activation("gate", at.gate),
              bench.activation("up", at.up),
              dGate,
              bench.activationOutput("dUp", n, f));
    };
  }

  private static double silu(double a) {
    return a / (1 + Math.exp(-a));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 7, 17, 131})
  void swigluMatchesTheReference(int tokens) {
    for (int f : SIZES) {
      for (double deviation : new double[] {1, 10}) {
        Swiglu at = swiglu(tokens, f, deviation);
        matchesReference(Tolerance.SWIGLU, forward(at));
        matchesReference(Tolerance.SWIGLU, backward(at, false));
        matchesReference(Tolerance.SWIGLU, backward(at, true));
      }
    }
  }

  @Test
  void swigluAndItsGradientFollowTheFormula() {
    Swiglu at = swiglu(3, 17, 2);
    double[][] gate = at.gate.toRows();
    double[][] up = at.up.toRows();
    near(Tolerance.SWIGLU, "y", run(forward(at)), formula(gate, up));
    Outputs gradients = run(backward(at, false));
    double[][] dy = at.dy.toRows();
    near(
        Tolerance.SWIGLU,
        "dGate",
        gradients,
        Doubles.gradient(gate, g -> Doubles.dot(dy, formula(g, up))));
    near(
        Tolerance.SWIGLU,
        "dUp",
        gradients,
        Doubles.gradient(up, u -> Doubles.dot(dy, formula(gate, u))));
  }

  private static double[][] formula(double[][] gate, double[][] up) {
    double[][] y = new double[gate.length][gate[0].length];
    for (int t = 0; t < y.length; t++) {
      for (int j = 0; j < y[t].length; j++) {
        y[t][j] = silu(gate[t][j]) * up[t][j];
      }
    }
    return y;
  }

  /** exp must not overflow into NaN: silu(−large) is 0, silu(large) is large. */
  @Test
  void swigluSurvivesLargeGates() {
    float[] gates = {
      -1e30f, -1e4f, -200, -104, -89, -88, -20, 0, -0f, 20, 88, 89, 104, 1e4f, 1e30f
    };
    for (int i = 0; i < gates.length; i++) {
      gates[i] = precision().round(gates[i]);
    }
    HostTensor gate = new HostTensor(1, gates.length, gates);
    HostTensor one = HostTensor.filled(1, gates.length, 1);
    Swiglu at = new Swiglu(gate, one, one);
    HostTensor y = run(forward(at)).get("y");
    Outputs gradients = run(backward(at, false));
    for (int j = 0; j < gates.length; j++) {
      double expected = silu(gates[j]);
      double slack = Tolerance.SWIGLU.bound(precision()) * (1 + Math.abs(expected));
      assertThat((double) y.get(0, j)).isCloseTo(expected, within(slack));
      assertThat((double) gradients.get("dUp").get(0, j)).isCloseTo(expected, within(slack));
      assertThat(gradients.get("dGate").get(0, j)).as("gate %s", gates[j]).isBetween(-0.11f, 1.11f);
    }
  }

  @Test
  void nanStaysInItsElement() {
    Swiglu at = swiglu(3, 9, 1);
    at.gate.set(1, 8, Float.NaN);
    at.up.set(2, 0, Float.NaN);
    HostTensor y = run(forward(at)).get("y");
    for (int i = 0; i < y.values().length; i++) {
      assertThat(Float.isNaN(y.values()[i])).isEqualTo(i == 9 + 8 || i == 18);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 67, 4099})
  void addCopyAndZeroAreExact(int cols) {
    for (int rows : new int[] {1, 7}) {
      Random random = new Random(cols);
      HostTensor x = activations(rows, cols, 1, random);
      HostTensor y = activations(rows, cols, 1, random);
      matchesReference(
          Tolerance.EXACT,
          bench ->
              bench
                  .backend()
                  .activation()
                  .add(bench.activation("x", x), bench.activationSum("y", y)));
      HostTensor copied =
          run(bench ->
                  bench
                      .backend()
                      .activation()
                      .copy(bench.activation("x", x), bench.activationOutput("y", rows, cols)))
              .get("y");
      sameBits("copy", copied, x);
      HostTensor zeroed =
          run(bench -> bench.backend().activation().zero(bench.activationOutput("y", rows, cols)))
              .get("y");
      sameBits("zero", zeroed, HostTensor.filled(rows, cols, 0));
    }
  }

  @Test
  void float32TensorsAreAddedCopiedAndZeroedToo() {
    HostTensor x = HostTensor.random(3, 67, 1, new Random(1));
    HostTensor y = HostTensor.random(3, 67, 1, new Random(2));
    Outputs actual =
        run(bench -> {
          Tensor from = bench.f32("x", x);
          bench.backend().activation().add(from, bench.f32Sum("sum", y));
          bench.backend().activation().copy(from, bench.f32Output("copy", 3, 67));
          bench.backend().activation().zero(bench.f32Output("zero", 3, 67));
        });
    sameBits("copy", actual.get("copy"), x);
    sameBits("zero", actual.get("zero"), HostTensor.filled(3, 67, 0));
    for (int i = 0; i < x.values().length; i++) {
      assertThat(actual.get("sum").values()[i]).isEqualTo(x.values()[i] + y.values()[i]);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 8, 17, 67})
  void rowsAreGatheredAndScattered(int cols) {
    Random random = new Random(cols);
    HostTensor x = activations(31, cols, 1, random);
    for (int rows : new int[] {1, 5, 31}) {
      int[] order = IntStream.range(0, 31).map(i -> (i * 7 + 3) % 31).limit(rows).toArray();
      HostTensor gathered =
          run(bench ->
                  bench
                      .backend()
                      .activation()
                      .gatherRows(
                          bench.activation("x", x),
                          bench.ints(rows, 1, order),
                          bench.activationOutput("y", rows, cols)))
              .get("y");
      for (int i = 0; i < rows; i++) {
        sameBits("row", gathered.rows(i, i + 1), x.rows(order[i], order[i] + 1));
      }
      HostTensor dy = activations(rows, cols, 1, random);
      Experiment scatter =
          bench ->
              bench
                  .backend()
                  .activation()
                  .scatterAddRows(
                      bench.activation("dy", dy),
                      bench.ints(rows, 1, order),
                      bench.activationSum("dx", x));
      matchesReference(Tolerance.EXACT, scatter);
      double[][] expected = x.toRows();
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < cols; j++) {
          expected[order[i]][j] += dy.get(i, j);
        }
      }
      near(Tolerance.SWIGLU, "dx", run(scatter), expected);
    }
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    Swiglu at = swiglu(131, 67, 1);
    sameBitsForAnyThreads(forward(at));
    sameBitsForAnyThreads(backward(at, false));
  }
}
