package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.PassLimits;
import io.mola.core.model.Projection;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.Evaluation;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import io.mola.core.train.TrainingStep;
import io.mola.core.train.TrainingStep.Measured;
import io.mola.testdata.HostTensor;
import io.mola.testdata.TinyModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Loss and gradients of a whole model whose examples share their beginnings are those of the same
 * examples side by side.
 */
public abstract class SharedPrefixContract extends BackendContract {
  private static final int VOCABULARY = 29;
  private static final int LAYERS = 3;
  private static final OptimizerConfig OPTIMIZER =
      new OptimizerConfig(1e-3, Schedule.CONSTANT, 0, 0.9, 0.999, 1e-8, 0, 0);

  private final TinyModel weights = new TinyModel(LAYERS, 4, 2, 8, 40, VOCABULARY, 7);
  private final AdapterParameters adapter = new AdapterParameters(weights.config(), shape());

  private static AdapterShape shape() {
    List<Projection> all = List.of(Projection.values());
    return new AdapterShape(
        List.of(
            AdapterShape.uniformLayer(all, 1, 2, 2),
            AdapterShape.uniformLayer(all, 3, 2, 2),
            AdapterShape.uniformLayer(all, 4, 3, 2)),
        4,
        0.25);
  }

  /** Tokens in which no two neighbours of a beginning are alike by accident. */
  private static int[] tokens(int length, long seed) {
    return new Random(seed).ints(length, 0, VOCABULARY).toArray();
  }

  private static int[] joined(int[]... parts) {
    return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
  }

  private static Example example(int prompt, int[]... parts) {
    int[] tokens = joined(parts);
    int[] labels = tokens.clone();
    Arrays.fill(labels, 0, prompt, Example.IGNORE);
    return new Example(tokens, labels, "example");
  }

  /**
   * Two beginnings, one of them with a longer one inside; ragged; an answer that starts right after
   * the beginning; an example twice; one that is the beginning of another; one that shares nothing.
   */
  private static List<Example> examples() {
    int[] first = tokens(19, 1);
    int[] longer = joined(first, tokens(14, 2));
    int[] second = tokens(9, 3);
    return List.of(
        example(25, first, tokens(12, 10)),
        example(33, longer, tokens(3, 11)),
        example(10, second, tokens(5, 12)),
        example(19, first, tokens(2, 13)),
        example(1, tokens(2, 14)),
        example(35, longer, tokens(40, 15)),
        example(9, second, tokens(17, 16)),
        example(9, second, tokens(17, 16)),
        example(36, longer, tokens(40, 15), tokens(1, 17)),
        example(20, first, tokens(33, 18)));
  }

  private static List<Example> labelledThroughout() {
    return examples().stream()
        .map(e -> new Example(e.tokens(), e.tokens().clone(), e.origin()))
        .toList();
  }

  /** What one step is made of. */
  private record Case(
      List<Example> examples, int microBatch, int keptBlocks, BalanceLoss balance) {}

  private record Gradients(Measured measured, HostTensor values) {}

  private static PassLimits limits(List<TokenBatch> batches, int keptBlocks) {
    int rows = batches.stream().mapToInt(TokenBatch::size).max().orElseThrow();
    int labelled = batches.stream().mapToInt(TokenBatch::labelled).max().orElseThrow();
    int positions =
        batches.stream().flatMapToInt(b -> IntStream.of(b.positions())).max().orElseThrow() + 1;
    return new PassLimits(rows, labelled, positions, keptBlocks, 5);
  }

  private Gradients step(Case c, Prefixes prefixes) {
    List<TokenBatch> batches = BatchBuilder.microBatches(c.examples, c.microBatch, prefixes);
    PassLimits limits = limits(batches, c.keptBlocks);
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, weights.config(), limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.plan(plan, adapter, c.balance, limits.tokens());
    Backend backend = backend();
    try (Transformer model = Transformer.load(backend, weights);
        Region region = backend.memory().allocate(plan.build())) {
      MolaHook hook = hook(region, c.balance, region.tensor(TrainingStep.GRADIENTS));
      TrainingPass pass = new TrainingPass(model, hook, region, limits);
      TrainingStep step = new TrainingStep(backend, pass, hook, region, OPTIMIZER);
      Measured measured = step.gradients(batches, 0, false);
      HostTensor values = HostTensor.filled(adapter.rows(), AdapterParameters.COLUMNS, 0);
      backend.memory().download(region.tensor(TrainingStep.GRADIENTS), values.values());
      return new Gradients(measured, values);
    }
  }

  private MolaHook hook(Region region, BalanceLoss balance, @Nullable Tensor gradients) {
    backend()
        .memory()
        .upload(TinyModel.parameters(adapter), region.tensor(TrainingStep.PARAMETERS));
    return new MolaHook(
        backend(),
        adapter,
        region,
        region.tensor(TrainingStep.PARAMETERS),
        gradients,
        new MolaHook.Settings(balance, 0.5, 5));
  }

  private void same(Gradients actual, Gradients expected) {
    double bound = Tolerance.TRAINING_STEP.bound(precision());
    Measured found = actual.measured();
    Measured wanted = expected.measured();
    assertThat(found.tokens()).isEqualTo(wanted.tokens());
    assertThat(found.targets()).isEqualTo(wanted.targets());
    assertThat(found.loss()).isCloseTo(wanted.loss(), within(bound * wanted.loss()));
    for (int l = 0; l < LAYERS; l++) {
      assertThat(found.balance()[l]).as("L").isCloseTo(wanted.balance()[l], within(bound));
    }
    for (var tensor : adapter.tensors()) {
      Tolerance.TRAINING_STEP.check(
          tensor.name(),
          part(tensor.rows(), tensor.read(actual.values().values())),
          part(tensor.rows(), tensor.read(expected.values().values())),
          precision());
    }
  }

  private static HostTensor part(int rows, float[] values) {
    return new HostTensor(rows, values.length / rows, values);
  }

  private static org.assertj.core.data.Offset<Double> within(double bound) {
    return org.assertj.core.data.Offset.offset(bound);
  }

  @ParameterizedTest
  @CsvSource({
    "MASKED, 3, 10",
    "MASKED, 1, 10",
    "MASKED_PER_MODULE, 3, 10",
    "AUTHORS, 2, 4",
    "NONE, 3, 10",
    "NONE, 1, 3"
  })
  void lossBalanceAndGradientsAreThoseWithoutSharing(
      BalanceLoss balance, int keptBlocks, int microBatch) {
    Case c = new Case(examples(), microBatch, keptBlocks, balance);

    same(step(c, Prefixes.SHARED), step(c, Prefixes.REPEATED));
  }

  @ParameterizedTest
  @CsvSource({"MASKED", "NONE"})
  void targetsWithinSharedBeginningsCountForEachExample(BalanceLoss balance) {
    Case c = new Case(labelledThroughout(), 10, LAYERS, balance);

    same(step(c, Prefixes.SHARED), step(c, Prefixes.REPEATED));
  }

  @Test
  void theCasesShareRowsInSeveralGroups() {
    TokenBatch repeated = BatchBuilder.of(examples());
    TokenBatch shared = BatchBuilder.of(examples(), Prefixes.SHARED);

    assertThat(repeated.size() - shared.size()).isGreaterThan(80);
    assertThat(IntStream.of(shared.rowWeights()).distinct().count()).isGreaterThan(2);
    assertThat(BatchBuilder.of(labelledThroughout(), Prefixes.SHARED).targetWeights())
        .contains(1, 2);
  }

  @Test
  void anExampleAloneGivesTheSameBits() {
    Case c = new Case(examples().subList(5, 6), 1, LAYERS, BalanceLoss.MASKED);

    sameBits("gradient", step(c, Prefixes.SHARED).values(), step(c, Prefixes.REPEATED).values());
  }

  @Test
  void accumulationEqualsTheBigBatch() {
    Case big = new Case(examples(), 10, LAYERS, BalanceLoss.NONE);
    Case accumulated = new Case(examples(), 3, LAYERS, BalanceLoss.NONE);

    same(step(accumulated, Prefixes.SHARED), step(big, Prefixes.SHARED));
  }

  @Test
  void evaluationIsThatWithoutSharing() {
    Evaluation.Result repeated = evaluate(Prefixes.REPEATED);
    Evaluation.Result shared = evaluate(Prefixes.SHARED);

    double bound = Tolerance.TRAINING_STEP.bound(precision()) * repeated.loss();
    assertThat(shared.targets()).isEqualTo(repeated.targets());
    assertThat(shared.loss()).isCloseTo(repeated.loss(), within(bound));
  }

  private Evaluation.Result evaluate(Prefixes prefixes) {
    List<Example> examples = new ArrayList<>(examples());
    examples.addAll(labelledThroughout());
    PassLimits limits = new PassLimits(100, 100, 80, 1, 5); // several batches
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, weights.config(), limits);
    TrainingStep.plan(plan, adapter);
    MolaHook.inferencePlan(plan, adapter, limits.tokens());
    Evaluation.plan(plan);
    try (Transformer model = Transformer.load(backend(), weights);
        Region region = backend().memory().allocate(plan.build())) {
      TrainingPass pass =
          new TrainingPass(model, hook(region, BalanceLoss.NONE, null), region, limits);
      return new Evaluation(backend(), pass, region, limits, prefixes).of(examples);
    }
  }
}
