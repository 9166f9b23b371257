package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.backend.FrozenMatrix;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.RowOrder;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.tensor.Tensor;
import io.mola.testdata.HostTensor;
import io.mola.testdata.QuantisedMatrices;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link io.mola.core.backend.LinearOps}. */
public abstract class LinearOpsContract extends BackendContract {
  /** A group of projections that share their input. */
  private record Group(HostTensor x, List<StoredMatrix> weights, List<HostTensor> dys) {
    HostTensor start(Random random) {
      return HostTensor.random(x.rows(), x.cols(), 1, random);
    }
  }

  private Group group(QuantType type, int tokens, int in, int size, int firstOut, long seed) {
    Random random = new Random(seed);
    List<StoredMatrix> weights = new ArrayList<>();
    List<HostTensor> dys = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      boolean paired = (seed + i) % 3 == 0;
      int out = paired ? 2 * 8 : cycle(SIZES, firstOut + i);
      RowOrder order = paired ? new RowOrder(8) : RowOrder.PLAIN;
      weights.add(QuantisedMatrices.random(type, out, in, order, seed * 31 + i));
      dys.add(activations(tokens, out, Math.sqrt(in / (double) out), random));
    }
    return new Group(activations(tokens, in, 1, random), weights, dys);
  }

  private static Experiment forward(Group group) {
    return bench -> {
      Tensor x = bench.activation("x", group.x);
      List<Tensor> ys = new ArrayList<>();
      for (int i = 0; i < group.weights.size(); i++) {
        ys.add(bench.activationOutput("y" + i, group.x.rows(), group.weights.get(i).out()));
      }
      bench.backend().linear().forward(x, matrices(bench, group), ys);
    };
  }

  private static Experiment backward(Group group, HostTensor start) {
    return bench -> {
      List<Tensor> dys = new ArrayList<>();
      for (int i = 0; i < group.dys.size(); i++) {
        dys.add(bench.activation("dy" + i, group.dys.get(i)));
      }
      Tensor dx = bench.activationSum("dx", start);
      bench.backend().linear().backward(dys, matrices(bench, group), dx);
    };
  }

  private static List<FrozenMatrix> matrices(Bench bench, Group group) {
    return group.weights.stream().map(bench::matrix).toList();
  }

  @ParameterizedTest
  @EnumSource
  void forwardMatchesTheReference(QuantType type) {
    for (int i = 0; i < 2 * TOKENS.length; i++) {
      int in = QuantisedMatrices.width(type, cycle(new int[] {67, 300, 16, 550, 7, 33}, i));
      Group group = group(type, cycle(TOKENS, i), in, 1 + i % 3, i, 100 + i);
      long cache = i < TOKENS.length ? UNLIMITED : 0;
      matchesReference(backend(2, cache), Tolerance.PRODUCT, forward(group));
    }
  }

  @ParameterizedTest
  @EnumSource
  void backwardMatchesTheReferenceAndAdds(QuantType type) {
    for (int i = 0; i < 2 * TOKENS.length; i++) {
      int in = QuantisedMatrices.width(type, cycle(new int[] {67, 300, 16, 550, 7, 33}, i));
      Group group = group(type, cycle(TOKENS, i), in, 1 + i % 3, i + 3, 200 + i);
      HostTensor start = activations(cycle(TOKENS, i), in, 1, new Random(i));
      long cache = i < TOKENS.length ? UNLIMITED : 0;
      matchesReference(backend(2, cache), Tolerance.PRODUCT, backward(group, start));
    }
  }

  /** Every pair of sizes around the lanes, with few and with odd numbers of tokens. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 67})
  void bothDirectionsMatchTheReferenceAtAwkwardSizes(int in) {
    for (int i = 0; i < SIZES.length; i++) {
      Group group = group(QuantType.F32, cycle(new int[] {1, 3, 9}, i), in, 1, i, 300 + i);
      matchesReference(Tolerance.PRODUCT, forward(group));
      HostTensor start = activations(group.x.rows(), in, 1, new Random(i));
      matchesReference(Tolerance.PRODUCT, backward(group, start));
    }
  }

  @Test
  void forwardIsTheProductWithTheTranspose() {
    Random random = new Random(1);
    HostTensor x = activations(5, 31, 1, random);
    HostTensor w = activations(17, 31, 0.2, random);
    Group group = new Group(x, List.of(QuantisedMatrices.f32(w)), List.of());
    double[][] expected = Doubles.timesTransposed(x.toRows(), w.toRows());
    near(Tolerance.PRODUCT, "y0", run(forward(group)), expected);
  }

  /** {@code ⟨dy, x Wᵀ⟩ = ⟨dy W, x⟩}, summed over a group; with dy = x Wᵀ nothing cancels. */
  @ParameterizedTest
  @EnumSource
  void backwardIsTheAdjointOfForward(QuantType type) {
    Group drawn = group(type, 7, QuantisedMatrices.width(type, 67), 3, 9, 17);
    List<HostTensor> ys = List.copyOf(run(forward(drawn)).byName().values());
    Group group = new Group(drawn.x, drawn.weights, ys);
    HostTensor zero = HostTensor.filled(7, group.x.cols(), 0);
    HostTensor dx = run(backward(group, zero)).get("dx");
    double left = 0;
    for (HostTensor y : ys) {
      left += Doubles.dot(y.toDoubles(), y.toDoubles());
    }
    double right = Doubles.dot(dx.toDoubles(), group.x.toDoubles());
    assertThat(left).isCloseTo(right, within(Tolerance.PRODUCT.bound(precision()) * left));
  }

  @ParameterizedTest
  @EnumSource
  void embedDecodesRows(QuantType type) {
    int in = QuantisedMatrices.width(type, 67);
    StoredMatrix table = QuantisedMatrices.random(type, 24, in, new RowOrder(12), 5);
    for (int tokens : TOKENS) {
      int[] ids = new Random(tokens).ints(tokens, 0, 24).toArray();
      matchesReference(
          Tolerance.DECODED,
          bench ->
              bench
                  .backend()
                  .linear()
                  .embed(
                      bench.ints(tokens, 1, ids),
                      bench.matrix(table),
                      bench.activationOutput("y", tokens, in)));
    }
  }

  @Test
  void pairedRowsAreReadInLogicalOrder() {
    HostTensor file = HostTensor.generate(8, 3, new Counter()::next);
    StoredMatrix plain = QuantisedMatrices.f32(file);
    StoredMatrix paired =
        new StoredMatrix("paired", QuantType.F32, 8, 3, plain.bytes(), new RowOrder(4));
    int[] fileRows = {0, 2, 1, 3, 4, 6, 5, 7};
    HostTensor rows =
        run(bench ->
                bench
                    .backend()
                    .linear()
                    .embed(
                        bench.ints(8, 1, 0, 1, 2, 3, 4, 5, 6, 7),
                        bench.matrix(paired),
                        bench.activationOutput("y", 8, 3)))
            .get("y");
    for (int row = 0; row < 8; row++) {
      assertThat(rows.get(row, 1)).isEqualTo(file.get(fileRows[row], 1));
    }
  }

  private static final class Counter {
    private int value;

    double next() {
      return value++;
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void nonFiniteInputsSpoilTheirRowsOnly(float bad) {
    Group group = group(QuantType.F32, 9, 33, 2, 4, 7);
    group.x.set(4, 20, bad);
    group.dys.getFirst().set(6, 0, bad);
    Outputs ys = run(forward(group));
    HostTensor dx = run(backward(group, HostTensor.filled(9, 33, 0))).get("dx");
    for (int t = 0; t < 9; t++) {
      for (HostTensor y : ys.byName().values()) {
        assertThat(allFinite(y, t)).as("y row %d", t).isEqualTo(t != 4);
      }
      assertThat(allFinite(dx, t)).as("dx row %d", t).isEqualTo(t != 6);
    }
  }

  private static boolean allFinite(HostTensor tensor, int row) {
    for (int col = 0; col < tensor.cols(); col++) {
      if (!Float.isFinite(tensor.get(row, col))) {
        return false;
      }
    }
    return true;
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "Q8_0", "Q4_K"})
  void anyNumberOfThreadsGivesTheSameBits(QuantType type) {
    int in = QuantisedMatrices.width(type, 300);
    for (int tokens : new int[] {1, 17, 131}) {
      Group group = group(type, tokens, in, 3, 10, 23);
      sameBitsForAnyThreads(forward(group));
      sameBitsForAnyThreads(backward(group, group.start(new Random(2))));
    }
  }

  /** Weights are mapped, not read, when a model is opened: damage must show at the latest here. */
  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.NEGATIVE_INFINITY})
  void weightsThatAreNotFiniteAreRefusedAtTheLatestAtFirstUse(float bad) {
    HostTensor values = HostTensor.filled(5, 40, 0.5f);
    values.set(3, 33, bad);
    Group group =
        new Group(
            HostTensor.filled(2, 40, 0),
            List.of(QuantisedMatrices.f32(values)),
            List.of(HostTensor.filled(2, 5, 0)));
    assertThatThrownBy(() -> run(forward(group)))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("random.F32.5x40");
    assertThatThrownBy(() -> run(backward(group, HostTensor.filled(2, 40, 0))))
        .isInstanceOf(MalformedFileException.class)
        .hasMessageContaining("random.F32.5x40");
  }
}
