package io.mola.testdata.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.InferenceSession;
import io.mola.core.model.PassLimits;
import io.mola.core.model.PlainProjections;
import io.mola.core.model.Projection;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import io.mola.core.train.TrainingStep;
import io.mola.core.train.TrainingStep.Measured;
import io.mola.testdata.TinyModel;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The whole model on the reference backend: what must not change the result, and gradients. */
class TransformerTest {
  private static final int VOCABULARY = 23;
  private static final OptimizerConfig OPTIMIZER =
      new OptimizerConfig(1e-3, Schedule.CONSTANT, 0, 0.9, 0.999, 1e-8, 0, 0);

  private Backend backend;
  private TinyModel weights;
  private Transformer model;
  private AdapterParameters adapter;

  @BeforeEach
  void open() {
    backend = Backends.choose("reference").open(new BackendSettings(1, 0));
    weights = new TinyModel(3, 4, 2, 4, 20, VOCABULARY, 7);
    model = Transformer.load(backend, weights);
    List<Projection> all = List.of(Projection.values());
    AdapterShape shape =
        new AdapterShape(
            List.of(
                AdapterShape.uniformLayer(all, 1, 2, 2),
                AdapterShape.uniformLayer(all, 3, 2, 2),
                AdapterShape.uniformLayer(all, 4, 3, 2)),
            4,
            0.25);
    adapter = new AdapterParameters(weights.config(), shape);
  }

  @AfterEach
  void close() {
    model.close();
    backend.close();
  }

  private static Example example(int length, int prompt, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] tokens = random.ints(length, 0, VOCABULARY).toArray();
    int[] labels = tokens.clone();
    Arrays.fill(labels, 0, prompt, Example.IGNORE);
    return new Example(tokens, labels, "example " + seed);
  }

  private static final List<Example> EXAMPLES =
      List.of(example(9, 4, 1), example(5, 1, 2), example(12, 10, 3));

  private record Gradients(Measured measured, float[] values) {}

  private Gradients gradients(
      float[] parameters,
      int keptBlocks,
      int microBatch,
      boolean dropout,
      BalanceLoss balance,
      double coefficient) {
    PassLimits limits = new PassLimits(26, 26, 12, keptBlocks, 3);
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, weights.config(), limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.plan(plan, adapter, balance, limits.tokens());
    try (Region region = backend.memory().allocate(plan.build())) {
      backend.memory().upload(parameters, region.tensor(TrainingStep.PARAMETERS));
      MolaHook hook =
          new MolaHook(
              backend,
              adapter,
              region,
              region.tensor(TrainingStep.PARAMETERS),
              region.tensor(TrainingStep.GRADIENTS),
              new MolaHook.Settings(balance, coefficient, 5));
      TrainingPass pass = new TrainingPass(model, hook, region, limits);
      TrainingStep step = new TrainingStep(backend, pass, hook, region, OPTIMIZER);
      Measured measured =
          step.gradients(
              BatchBuilder.microBatches(EXAMPLES, microBatch, Prefixes.REPEATED), 2, dropout);
      float[] values = new float[adapter.size()];
      backend.memory().download(region.tensor(TrainingStep.GRADIENTS), values);
      return new Gradients(measured, values);
    }
  }

  @Test
  void recomputedBlocksGiveTheSameBits() {
    Gradients kept = gradients(TinyModel.parameters(adapter), 3, 3, true, BalanceLoss.MASKED, 0.1);
    for (int blocks = 1; blocks < 3; blocks++) {
      Gradients recomputed =
          gradients(TinyModel.parameters(adapter), blocks, 3, true, BalanceLoss.MASKED, 0.1);

      assertThat(recomputed.values()).isEqualTo(kept.values());
      assertThat(recomputed.measured().loss()).isEqualTo(kept.measured().loss());
      assertThat(recomputed.measured().balance()).isEqualTo(kept.measured().balance());
    }
  }

  @Test
  void accumulationEqualsTheBigBatchWithDropout() {
    Gradients big = gradients(TinyModel.parameters(adapter), 3, 3, true, BalanceLoss.NONE, 0);
    Gradients accumulated =
        gradients(TinyModel.parameters(adapter), 3, 1, true, BalanceLoss.NONE, 0);

    assertThat(accumulated.measured().loss()).isCloseTo(big.measured().loss(), within(1e-6));
    double largest = 0;
    for (int i = 0; i < big.values().length; i++) {
      largest = Math.max(largest, Math.abs(big.values()[i] - accumulated.values()[i]));
    }
    assertThat(largest).isLessThan(1e-6); // rounding of float32 sums in another order
  }

  private static org.assertj.core.data.Offset<Double> within(double bound) {
    return org.assertj.core.data.Offset.offset(bound);
  }

  @Test
  void leavingOutUnlabelledRowsOfTheLastBlockChangesNothing() {
    // without a balance loss rows are left out; a coefficient of 0 keeps them all
    Gradients few = gradients(TinyModel.parameters(adapter), 3, 3, false, BalanceLoss.NONE, 0);
    Gradients all = gradients(TinyModel.parameters(adapter), 3, 3, false, BalanceLoss.MASKED, 0);

    assertThat(few.measured().loss()).isCloseTo(all.measured().loss(), within(1e-6));
    for (int i = 0; i < few.values().length; i++) {
      assertThat((double) few.values()[i]).isCloseTo(all.values()[i], within(1e-6));
    }
  }

  /** Directional derivatives where every expert is chosen, so that no pick can change. */
  @Test
  void gradientsAgreeWithFiniteDifferences() {
    adapter = everyExpertChosen();
    float[] at = TinyModel.parameters(adapter);
    float[] analytic = gradients(at, 3, 3, false, BalanceLoss.NONE, 0).values();
    double step = 2e-3;
    for (AdapterTensor tensor : adapter.tensors()) {
      float[] gradient = tensor.read(analytic);
      float[] direction = direction(gradient);
      double slope = 0;
      for (int i = 0; i < gradient.length; i++) {
        slope += (double) gradient[i] * direction[i];
      }
      double up = loss(moved(at, tensor, direction, step));
      double down = loss(moved(at, tensor, direction, -step));
      double difference = (up - down) / (2 * step);
      // float32 losses carry 1e-6, so the quotient carries 5e-4; curvature adds to it
      assertThat(difference).as(tensor.name()).isCloseTo(slope, within(2e-3 + 0.01 * slope));
    }
  }

  private AdapterParameters everyExpertChosen() {
    List<Projection> all = List.of(Projection.values());
    AdapterShape.Layer three = AdapterShape.uniformLayer(all, 3, 2, 3);
    return new AdapterParameters(
        weights.config(),
        new AdapterShape(List.of(AdapterShape.uniformLayer(all, 1, 2, 1), three, three), 4, 0));
  }

  private static float[] direction(float[] gradient) {
    double norm = 0;
    for (float g : gradient) {
      norm += (double) g * g;
    }
    float[] direction = new float[gradient.length];
    for (int i = 0; i < direction.length && norm > 0; i++) {
      direction[i] = (float) (gradient[i] / Math.sqrt(norm));
    }
    return direction;
  }

  private static float[] moved(float[] at, AdapterTensor tensor, float[] direction, double step) {
    float[] moved = at.clone();
    float[] values = tensor.read(moved);
    for (int i = 0; i < values.length; i++) {
      values[i] += (float) (step * direction[i]);
    }
    tensor.write(values, moved);
    return moved;
  }

  private double loss(float[] parameters) {
    return gradients(parameters, 3, 3, false, BalanceLoss.NONE, 0).measured().loss();
  }

  @Test
  void cachedInferenceGivesTheLogitsOfTheWholeSequence() {
    Example sequence = example(12, 1, 4);
    float[] whole = wholeLogits(sequence);
    float[] last = new float[VOCABULARY];
    PlainProjections hook = new PlainProjections(backend);
    try (InferenceSession session = new InferenceSession(model, hook, 12, 5)) {
      session.append(Arrays.copyOf(sequence.tokens(), 7), last);
      assertThat(last).containsExactly(row(whole, 6), OFFSET);
      for (int t = 7; t < 12; t++) {
        session.append(new int[] {sequence.tokens()[t]}, last);
        assertThat(last).containsExactly(row(whole, t), OFFSET);
      }
    }
  }

  private static final org.assertj.core.data.Offset<Float> OFFSET =
      org.assertj.core.data.Offset.offset(1e-5f);

  private static float[] row(float[] logits, int t) {
    return Arrays.copyOfRange(logits, t * VOCABULARY, (t + 1) * VOCABULARY);
  }

  private float[] wholeLogits(Example sequence) {
    TokenBatch b = BatchBuilder.of(List.of(sequence));
    int n = b.size();
    int[] rows = new int[n];
    Arrays.setAll(rows, i -> i);
    TokenBatch every =
        new TokenBatch(
            b.tokens(),
            b.positions(),
            b.spans(),
            b.rowWeights(),
            rows,
            new int[n],
            new int[n],
            0,
            0);
    PassLimits limits = new PassLimits(n, n, n, 1, 4);
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, weights.config(), limits);
    try (Region region = backend.memory().allocate(plan.build())) {
      TrainingPass pass = new TrainingPass(model, new PlainProjections(backend), region, limits);
      float[] logits = new float[n * VOCABULARY];
      pass.upload(every);
      pass.logits(logits);
      return logits;
    }
  }
}
