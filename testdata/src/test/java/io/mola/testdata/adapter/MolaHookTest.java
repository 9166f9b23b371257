package io.mola.testdata.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.FrozenMatrix;
import io.mola.core.backend.Region;
import io.mola.core.failure.UsageException;
import io.mola.core.model.DeviceBatch;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.Projection;
import io.mola.core.model.TokenBatch;
import io.mola.core.tensor.IntTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.weights.WeightNames;
import io.mola.testdata.TinyModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class MolaHookTest {
  private static final int ROWS = 7;
  private static final int LAYER = 1;
  private static final int[] WEIGHTS = {1, 2, 1, 0, 3, 1, 1};
  private static final double COEFFICIENT = 0.3;
  private static final float SHARE = 0.25f;

  static Stream<Arguments> mixtures() {
    return Stream.of(
        Arguments.of("4", "2", BalanceLoss.MASKED, Projection.Group.QKV),
        Arguments.of("4", "1", BalanceLoss.MASKED, Projection.Group.QKV),
        Arguments.of("q_proj=4;k_proj=1;v_proj=4", "2", BalanceLoss.MASKED, Projection.Group.QKV),
        Arguments.of("q_proj=3;v_proj=5", "2", BalanceLoss.MASKED_PER_MODULE, Projection.Group.QKV),
        Arguments.of("5", "3", BalanceLoss.AUTHORS, Projection.Group.GATE_UP),
        Arguments.of("1", "1", BalanceLoss.MASKED, Projection.Group.GATE_UP),
        Arguments.of("6", "2", BalanceLoss.NONE, Projection.Group.DOWN));
  }

  @ParameterizedTest
  @MethodSource("mixtures")
  void forwardIsTheFormulaOfThePaper(
      String experts, String topK, BalanceLoss loss, Projection.Group group) {
    try (Fixture f = new Fixture(experts, topK, loss, group, 0)) {
      f.begin(false);
      f.hook.forward(LAYER, group, Pass.FORWARD, f.x(), f.weights, f.ys());
      NaiveMixture.Result expected = f.naive().forward(f.doubles(), f.rowsOfX(), WEIGHTS);
      for (int i = 0; i < group.members().size(); i++) {
        double[][] y = expected.y().get(group.members().get(i));
        float[] actual = f.download(f.ys().get(i));
        for (int t = 0; t < ROWS; t++) {
          for (int o = 0; o < y[t].length; o++) {
            // float32 products of at most 24 terms of size 1
            assertThat((double) actual[t * y[t].length + o]).isCloseTo(y[t][o], within(2e-5));
          }
        }
      }
      assertThat(f.balance()).isCloseTo(SHARE * f.naiveBalance(expected, expected), within(1e-6));
    }
  }

  /** Covers B, A, routers through gates and balance, and the input. */
  @ParameterizedTest
  @MethodSource("mixtures")
  void backwardIsTheDerivativeOfOutputsAndBalance(
      String experts, String topK, BalanceLoss loss, Projection.Group group) {
    try (Fixture f = new Fixture(experts, topK, loss, group, 0)) {
      f.begin(false);
      f.hook.forward(LAYER, group, Pass.FORWARD, f.x(), f.weights, f.ys());
      f.hook.backward(LAYER, group, f.dys(), f.x(), f.weights, f.dx());
      float[] gradients = f.download(f.region.tensor("gradients"));
      float[] dx = f.download(f.dx());
      double[] flat = f.doubles();
      double[][] x = f.rowsOfX();
      NaiveMixture.Result fixed = f.naive().forward(flat, x, WEIGHTS);
      double h = 1e-6;
      SplittableRandom random = new SplittableRandom(3);
      int checked = 0;
      for (var tensor : f.layout.tensors()) {
        if (tensor.layer() != LAYER || tensor.projection().group() != group) {
          continue;
        }
        for (int repeat = 0; repeat < 12; repeat++) {
          int at = tensor.offset() + random.nextInt(tensor.size());
          double value = flat[at];
          flat[at] = value + h;
          double up = f.objective(flat, x, fixed);
          flat[at] = value - h;
          double down = f.objective(flat, x, fixed);
          flat[at] = value;
          // differences of doubles are good to 1e-8, float32 gradients of size 1 to 1e-5
          assertThat((double) gradients[at])
              .as(tensor.name())
              .isCloseTo((up - down) / (2 * h), within(5e-5));
          checked++;
        }
      }
      assertThat(checked).isPositive();
      for (int t = 0; t < ROWS; t++) {
        int i = random.nextInt(x[t].length);
        double value = x[t][i];
        x[t][i] = value + h;
        double up = f.objective(flat, x, fixed);
        x[t][i] = value - h;
        double down = f.objective(flat, x, fixed);
        x[t][i] = value;
        assertThat((double) dx[t * x[t].length + i]).isCloseTo((up - down) / (2 * h), within(5e-5));
      }
    }
  }

  @Test
  void recomputationGivesTheSameBitsAndCountsNothing() {
    try (Fixture f = new Fixture("4", "2", BalanceLoss.MASKED, Projection.Group.QKV, 0.4)) {
      f.begin(true);
      f.hook.forward(LAYER, f.group, Pass.FORWARD, f.x(), f.weights, f.ys());
      float[] first = f.download(f.ys().getFirst());
      double balance = f.balance();
      f.hook.forward(LAYER, f.group, Pass.RECOMPUTE, f.x(), f.weights, f.ys());
      assertThat(f.download(f.ys().getFirst())).isEqualTo(first);
      assertThat(f.balance()).isEqualTo(balance);
      f.hook.forward(LAYER, f.group, Pass.INFERENCE, f.x(), f.weights, f.ys());
      assertThat(f.download(f.ys().getFirst())).isNotEqualTo(first);
      assertThat(f.balance()).isEqualTo(balance);
    }
  }

  @Test
  void inferenceLeavesTheStateOfTheForwardPass() {
    try (Fixture f = new Fixture("4", "2", BalanceLoss.MASKED, Projection.Group.QKV, 0)) {
      f.begin(false);
      f.hook.forward(LAYER, f.group, Pass.FORWARD, f.x(), f.weights, f.ys());
      f.hook.backward(LAYER, f.group, f.dys(), f.x(), f.weights, null);
      float[] expected = f.download(f.region.tensor("gradients"));
      f.backend.activation().zero(f.region.tensor("gradients"));
      f.hook.forward(LAYER, f.group, Pass.INFERENCE, f.x().top(2), f.weights, f.top(f.ys(), 2));
      f.hook.backward(LAYER, f.group, f.dys(), f.x(), f.weights, null);
      assertThat(f.download(f.region.tensor("gradients"))).isEqualTo(expected);
    }
  }

  @Test
  void dropoutOfAccumulatedRowsIsThatOfTheBigBatch() {
    try (Fixture f = new Fixture("4", "2", BalanceLoss.NONE, Projection.Group.QKV, 0.5)) {
      f.begin(ROWS, 100, 3, true, 1);
      f.hook.forward(LAYER, f.group, Pass.FORWARD, f.x(), f.weights, f.ys());
      float[] big = f.download(f.ys().getFirst());
      int cols = f.ys().getFirst().cols();
      f.begin(3, 104, 3, true, 1);
      Tensor tail = f.x().slice(4L * f.x().cols(), 3, f.x().cols());
      f.hook.forward(LAYER, f.group, Pass.FORWARD, tail, f.weights, f.top(f.ys(), 3));
      float[] small = f.download(f.ys().getFirst().top(3));
      assertThat(small).isEqualTo(Arrays.copyOfRange(big, 4 * cols, 7 * cols));
    }
  }

  @Test
  void aGroupWithoutExpertsIsTheFrozenProduct() {
    try (Fixture f = new Fixture("down_proj=2", "2", BalanceLoss.MASKED, Projection.Group.QKV, 0)) {
      f.begin(false);
      f.hook.forward(LAYER, f.group, Pass.FORWARD, f.x(), f.weights, f.ys());
      float[] hooked = f.download(f.ys().getLast());
      f.backend.linear().forward(f.x(), f.weights, f.ys());
      assertThat(hooked).isEqualTo(f.download(f.ys().getLast()));
      f.hook.backward(LAYER, f.group, f.dys(), f.x(), f.weights, f.dx());
      assertThat(f.download(f.region.tensor("gradients"))).containsOnly(0);
      assertThat(f.download(f.dx())).isNotEqualTo(new float[ROWS * f.x().cols()]);
    }
  }

  @Test
  void unequalRoutersCannotShareABalanceTerm() {
    assertThatThrownBy(() ->
            new Fixture("q_proj=3;v_proj=5", "2", BalanceLoss.MASKED, Projection.Group.QKV, 0))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("q_proj has 3 experts and v_proj has 5");
  }

  @Test
  void rowsWithoutLabelsAreNeededWhereRoutersOfTheLastFeedForwardAreBalanced() {
    assertThat(maySkip("2", BalanceLoss.MASKED)).isFalse();
    assertThat(maySkip("2", BalanceLoss.NONE)).isTrue();
    assertThat(maySkip("2,1", BalanceLoss.MASKED)).isTrue();
    assertThat(maySkip("q_proj=2", BalanceLoss.MASKED)).isTrue();
    assertThat(maySkip("down_proj=2", BalanceLoss.MASKED)).isFalse();
  }

  private static boolean maySkip(String experts, BalanceLoss loss) {
    try (Fixture f = new Fixture(experts, "2", loss, Projection.Group.QKV, 0)) {
      return f.hook.maySkipUnlabelledRows();
    }
  }

  /** A model, an adapter with all parameters random, and buffers for one group. */
  private static final class Fixture implements AutoCloseable {
    final TinyModel model = new TinyModel(2, 3, 1, 4, 24, 11, 5);
    final Backend backend;
    final Projection.Group group;
    final BalanceLoss loss;
    final AdapterParameters layout;
    final Region region;
    final MolaHook hook;
    final List<FrozenMatrix> weights = new ArrayList<>();

    private final float[] parameters;
    private final float[] input;
    private final List<float[]> outputGradients = new ArrayList<>();

    Fixture(String experts, String topK, BalanceLoss loss, Projection.Group group, double dropout) {
      this.group = group;
      this.loss = loss;
      backend = Backends.checked(Backends.choose("reference").open(new BackendSettings(1, 0)));
      AdapterShape shape =
          new ExpertAllocation(experts, "3", topK, 6, dropout, List.of()).resolve(model.config());
      layout = new AdapterParameters(model.config(), shape);
      region = backend.memory().allocate(plan());
      hook =
          new MolaHook(
              backend,
              layout,
              region,
              region.tensor("parameters"),
              region.tensor("gradients"),
              new MolaHook.Settings(loss, COEFFICIENT, 11));
      SplittableRandom random = new SplittableRandom(7);
      parameters = new float[layout.size()];
      for (var tensor : layout.tensors()) {
        for (int i = 0; i < tensor.size(); i++) {
          parameters[tensor.offset() + i] = (float) (0.4 * random.nextGaussian());
        }
      }
      backend.memory().upload(parameters, region.tensor("parameters"));
      input = gaussian(random, x());
      backend.memory().upload(WEIGHTS, region.ints("weights"));
      for (Projection p : group.members()) {
        int out = p.out(model.config());
        int in = p.in(model.config());
        weights.add(
            backend.memory().load(model.matrix(WeightNames.inLayer(LAYER, p.path()), out, in)));
        outputGradients.add(gaussian(random, region.tensor("dy" + p)));
      }
    }

    private MemoryPlan plan() {
      MemoryPlan.Builder plan = new MemoryPlan.Builder();
      MolaHook.plan(plan, layout, loss, ROWS);
      MolaHook.inferencePlan(plan, layout, ROWS);
      plan.f32("parameters", layout.rows(), AdapterParameters.COLUMNS)
          .f32("gradients", layout.rows(), AdapterParameters.COLUMNS)
          .f32("aux", 2, 1)
          .i32("weights", ROWS, 1)
          .activation("x", ROWS, group.in(model.config()))
          .activation("dx", ROWS, group.in(model.config()));
      for (Projection p : group.members()) {
        plan.activation("y" + p, ROWS, p.out(model.config()))
            .activation("dy" + p, ROWS, p.out(model.config()));
      }
      return plan.build();
    }

    private float[] gaussian(SplittableRandom random, Tensor to) {
      float[] values = new float[to.rows() * to.cols()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      backend.memory().upload(values, to);
      return values;
    }

    void begin(boolean dropout) {
      begin(ROWS, 0, 0, dropout, SHARE);
    }

    void begin(int rows, long firstRow, int step, boolean dropout, float share) {
      int[] none = new int[rows];
      TokenBatch batch =
          new TokenBatch(
              none,
              none,
              new int[4 * rows],
              Arrays.copyOf(WEIGHTS, rows),
              new int[0],
              new int[0],
              new int[0],
              firstRow,
              0);
      IntTensor weights = region.ints("weights").top(rows);
      DeviceBatch device =
          new DeviceBatch(weights, weights, weights, weights, weights, weights, weights);
      hook.begin(batch, device, step, dropout, share);
    }

    Tensor x() {
      return region.tensor("x");
    }

    Tensor dx() {
      return region.tensor("dx");
    }

    List<Tensor> ys() {
      return group.members().stream().map(p -> region.tensor("y" + p)).toList();
    }

    List<Tensor> dys() {
      return group.members().stream().map(p -> region.tensor("dy" + p)).toList();
    }

    List<Tensor> top(List<Tensor> tensors, int rows) {
      return tensors.stream().map(tensor -> tensor.top(rows)).toList();
    }

    float[] download(Tensor tensor) {
      float[] values = new float[tensor.rows() * tensor.cols()];
      backend.memory().download(tensor, values);
      return values;
    }

    double balance() {
      backend.activation().zero(region.tensor("aux"));
      hook.finishForward(region.tensor("aux"));
      float[] aux = download(region.tensor("aux"));
      assertThat(aux[1 - LAYER]).isZero();
      return aux[LAYER];
    }

    NaiveMixture naive() {
      return new NaiveMixture(model, layout, LAYER, group);
    }

    double[] doubles() {
      double[] flat = new double[parameters.length];
      Arrays.setAll(flat, i -> parameters[i]);
      return flat;
    }

    double[][] rowsOfX() {
      int cols = x().cols();
      double[][] rows = new double[ROWS][cols];
      for (int i = 0; i < input.length; i++) {
        rows[i / cols][i % cols] = input[i];
      }
      return rows;
    }

    /** L of the layer, as far as the group's routers reach: the others saw no row. */
    double naiveBalance(NaiveMixture.Result fixed, NaiveMixture.Result now) {
      AdapterShape.Layer numbers = layout.shape().layers().get(LAYER);
      List<Projection> routed =
          group.members().stream().filter(p -> numbers.experts(p) > 1).toList();
      if (routed.isEmpty() || loss == BalanceLoss.NONE) {
        return 0;
      }
      if (loss != BalanceLoss.MASKED_PER_MODULE) {
        return NaiveMixture.balance(routed, fixed, now);
      }
      return routed.stream().mapToDouble(p -> NaiveMixture.balance(List.of(p), fixed, now)).sum()
          / routed.size();
    }

    /** ⟨dy, y⟩ + coefficient · share · L with the picks of {@code fixed}. */
    double objective(double[] flat, double[][] x, NaiveMixture.Result fixed) {
      NaiveMixture.Result now = naive().forward(flat, x, WEIGHTS);
      double sum = COEFFICIENT * SHARE * naiveBalance(fixed, now);
      for (int i = 0; i < group.members().size(); i++) {
        double[][] y = now.y().get(group.members().get(i));
        for (int t = 0; t < ROWS; t++) {
          for (int o = 0; o < y[t].length; o++) {
            sum += y[t][o] * outputGradients.get(i)[t * y[t].length + o];
          }
        }
      }
      return sum;
    }

    @Override
    public void close() {
      region.close();
      backend.close();
    }
  }
}
