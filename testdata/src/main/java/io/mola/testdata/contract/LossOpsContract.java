package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link io.mola.core.backend.LossOps}. */
public abstract class LossOpsContract extends BackendContract {
  private static final float START = 2;

  private record Head(
      HostTensor x, StoredMatrix matrix, int[] targets, int[] weights, float factor) {}

  private Head head(QuantType type, int rows, int in, int vocabulary, double deviation) {
    Random random = new Random(31L * rows + vocabulary);
    return new Head(
        activations(rows, QuantisedMatrices.width(type, in), deviation, random),
        QuantisedMatrices.random(
            type, vocabulary, QuantisedMatrices.width(type, in), RowOrder.PLAIN, rows),
        random.ints(rows, 0, vocabulary).toArray(),
        random.ints(rows, 0, 3).toArray(),
        0.7f);
  }

  private static Experiment loss(Head head, int chunk, boolean withGradient) {
    return bench -> {
      int rows = head.x.rows();
      bench
          .backend()
          .loss()
          .crossEntropyHead(
              bench.activation("x", head.x),
              bench.matrix(head.matrix),
              bench.ints(rows, 1, head.targets),
              bench.ints(rows, 1, head.weights),
              head.factor,
              bench.f32Scratch("scratch", chunk, head.matrix.out()),
              bench.f32Sum("loss", HostTensor.filled(1, 1, START)),
              withGradient ? bench.activationOutput("dx", rows, head.x.cols()) : null);
    };
  }

  @ParameterizedTest
  @EnumSource
  void lossAndGradientMatchTheReference(QuantType type) {
    int[] vocabularies = {1, 2, 31, 64, 131, 521};
    for (int i = 0; i < TOKENS.length; i++) {
      Head head = head(type, TOKENS[i], 67, cycle(vocabularies, i + type.ggufId()), 1);
      for (int chunk : new int[] {1, 5, TOKENS[i], TOKENS[i] + 3}) {
        if (chunk > 1 || TOKENS[i] < 20) {
          matchesReference(Tolerance.CROSS_ENTROPY, loss(head, chunk, true));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "2, 3, 5", "5, 17, 31", "7, 9, 67"})
  void lossAndGradientFollowTheFormula(int rows, int in, int vocabulary) {
    Random random = new Random(rows);
    HostTensor w = HostTensor.random(vocabulary, in, 0.5, random);
    Head head =
        new Head(
            activations(rows, in, 1, random),
            QuantisedMatrices.f32(w),
            random.ints(rows, 0, vocabulary).toArray(),
            random.ints(rows, 0, 3).toArray(),
            1);
    Outputs actual = run(loss(head, 3, true));
    double[][] x = head.x.toRows();
    double[] expected = {START + formula(head, x, w)};
    near(Tolerance.CROSS_ENTROPY, "loss", actual, expected);
    near(
        Tolerance.CROSS_ENTROPY,
        "dx",
        actual,
        Doubles.gradient(x, changed -> formula(head, changed, w)));
  }

  /** {@code Σ_t weights[t] (log Σ_v exp(x_t · w_v) − x_t · w_target)}. */
  private static double formula(Head head, double[][] x, HostTensor w) {
    double[][] logits = Doubles.timesTransposed(x, w.toRows());
    double sum = 0;
    for (int t = 0; t < logits.length; t++) {
      sum -= head.weights[t] * Math.log(Doubles.softmax(logits[t])[head.targets[t]]);
    }
    return sum;
  }

  @Test
  void withoutGradientTheLossIsTheSame() {
    Head head = head(QuantType.F32, 17, 33, 131, 1);
    Outputs without = run(loss(head, 5, false));
    assertThat(without.names()).containsExactly("loss");
    sameBits("loss", without.get("loss"), run(loss(head, 5, true)).get("loss"));
  }

  @Test
  void rowsOfWeightZeroHaveNoLossAndNoGradient() {
    Head head = head(QuantType.F32, 7, 16, 31, 1);
    Arrays.fill(head.weights, 0);
    Outputs actual = run(loss(head, 3, true));
    assertThat(actual.get("loss").values()).containsExactly(START);
    assertThat(actual.get("dx").values()).containsOnly(0);
  }

  /** exp must not overflow, and a sure prediction must lose nothing. */
  @ParameterizedTest
  @ValueSource(doubles = {30, 1000})
  void largeLogitsAreStable(double deviation) {
    matchesReference(
        Tolerance.CROSS_ENTROPY, loss(head(QuantType.F32, 17, 16, 131, deviation), 5, true));
  }

  @Test
  void nanShowsInTheLossAndInItsRowOnly() {
    Head head = head(QuantType.F32, 7, 16, 31, 1);
    Arrays.fill(head.weights, 1);
    head.x.set(4, 15, Float.NaN);
    Outputs actual = run(loss(head, 3, true));
    assertThat(actual.get("loss").values()).containsExactly(Float.NaN);
    for (int t = 0; t < 7; t++) {
      assertThat(Float.isNaN(actual.get("dx").get(t, 0))).as("row %d", t).isEqualTo(t == 4);
    }
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    for (QuantType type : new QuantType[] {QuantType.F32, QuantType.Q8_0}) {
      sameBitsForAnyThreads(loss(head(type, 131, 67, 521, 1), 50, true));
      sameBitsForAnyThreads(loss(head(type, 2, 67, 521, 1), 50, true));
    }
  }
}
