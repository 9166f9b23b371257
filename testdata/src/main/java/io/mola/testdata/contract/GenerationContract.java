package io.mola.testdata.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.model.InferenceSession;
import io.mola.core.model.PassLimits;
import io.mola.core.model.Projection;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.Evaluation;
import io.mola.core.train.Prefixes;
import io.mola.testdata.HostTensor;
import io.mola.testdata.TinyModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A model with experts that are routed for each token: its logits do not depend on whether tokens
 * come one by one, in chunks, or all at once, nor its losses on what else is measured beside.
 */
public abstract class GenerationContract extends BackendContract {
  private static final int VOCABULARY = 29;
  private static final int LENGTH = 23;
  private static final int LAYERS = 2;
  private static final String PARAMETERS = "parameters";

  private final TinyModel weights = new TinyModel(LAYERS, 4, 2, 8, 40, VOCABULARY, 7);
  private final AdapterParameters adapter = new AdapterParameters(weights.config(), shape());
  private final int[] tokens = new Random(6).ints(LENGTH, 0, VOCABULARY).toArray();

  private static AdapterShape shape() {
    List<Projection> all = List.of(Projection.values());
    return new AdapterShape(
        List.of(AdapterShape.uniformLayer(all, 1, 3, 1), AdapterShape.uniformLayer(all, 4, 2, 2)),
        4,
        0);
  }

  private MemoryPlan.Builder plan(int rows) {
    MemoryPlan.Builder plan =
        new MemoryPlan.Builder().f32(PARAMETERS, adapter.rows(), AdapterParameters.COLUMNS);
    MolaHook.inferencePlan(plan, adapter, rows);
    return plan;
  }

  private MolaHook hook(Backend backend, Region region) {
    backend.memory().upload(TinyModel.parameters(adapter), region.tensor(PARAMETERS));
    return new MolaHook(
        backend, adapter, region, region.tensor(PARAMETERS), null, MolaHook.Settings.INFERENCE);
  }

  /** Logits after tokens {@code first .. LENGTH - 1}, the first so many appended at once. */
  private HostTensor appended(Backend backend, int first, int chunk) {
    HostTensor rows = HostTensor.filled(LENGTH - first + 1, VOCABULARY, 0);
    float[] logits = new float[VOCABULARY];
    try (Transformer model = Transformer.load(backend, weights);
        Region region = backend.memory().allocate(plan(chunk).build());
        InferenceSession session =
            new InferenceSession(model, hook(backend, region), LENGTH, chunk)) {
      session.append(Arrays.copyOf(tokens, first), logits);
      System.arraycopy(logits, 0, rows.values(), 0, VOCABULARY);
      for (int t = first; t < LENGTH; t++) {
        session.append(new int[] {tokens[t]}, logits);
        System.arraycopy(logits, 0, rows.values(), (t - first + 1) * VOCABULARY, VOCABULARY);
      }
    }
    return rows;
  }

  /** The same from one pass over the whole sequence. */
  private HostTensor atOnce(Backend backend, int first) {
    int rows = LENGTH - first + 1;
    int[] extended = Arrays.copyOf(tokens, LENGTH + 1);
    int[] labels = extended.clone();
    Arrays.fill(labels, 0, first, Example.IGNORE);
    Example example = new Example(extended, labels, "sequence");
    PassLimits limits = new PassLimits(LENGTH + 1, LENGTH + 1, LENGTH + 1, 1, 5);
    MemoryPlan.Builder plan = plan(LENGTH + 1);
    TrainingPass.plan(plan, weights.config(), limits);
    HostTensor logits = HostTensor.filled(rows, VOCABULARY, 0);
    try (Transformer model = Transformer.load(backend, weights);
        Region region = backend.memory().allocate(plan.build())) {
      TrainingPass pass = new TrainingPass(model, hook(backend, region), region, limits);
      pass.upload(BatchBuilder.of(List.of(example)));
      pass.logits(logits.values());
    }
    return logits;
  }

  @ParameterizedTest(name = "{0} tokens first")
  @ValueSource(ints = {1, 2, 3, 9, 22})
  void tokensOneByOneGiveTheLogitsOfTheWholeSequence(int first) {
    HostTensor expected = atOnce(backend(), first);
    for (int chunk : new int[] {4, LENGTH}) {
      HostTensor found = appended(backend(), first, chunk);
      Tolerance.TRAINING_STEP.check("logits", found, expected, precision());
    }
  }

  @Test
  void tokensOneByOneGiveTheSameBitsForAnyThreads() {
    HostTensor one = appended(backend(1, UNLIMITED), 3, LENGTH);
    for (int threads = 2; threads <= 3; threads++) {
      sameBits("logits", appended(backend(threads, UNLIMITED), 3, LENGTH), one);
    }
  }

  /** Prompts with a common beginning, of several lengths. */
  private static List<Example> examples() {
    Random random = new Random(5);
    int[] beginning = random.ints(11, 0, VOCABULARY).toArray();
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      int[] rest = random.ints(2 + 3 * (i % 4), 0, VOCABULARY).toArray();
      int[] all = IntStream.concat(IntStream.of(beginning), IntStream.of(rest)).toArray();
      int[] labels = all.clone();
      Arrays.fill(labels, 0, beginning.length, Example.IGNORE);
      examples.add(new Example(all, labels, "example " + i));
    }
    return examples;
  }

  private Evaluation.Result evaluate(List<Example> examples, Prefixes prefixes) {
    PassLimits limits = new PassLimits(64, 64, LENGTH, 1, 5); // several batches
    MemoryPlan.Builder plan = plan(limits.tokens());
    TrainingPass.plan(plan, weights.config(), limits);
    Evaluation.plan(plan);
    Backend backend = backend();
    try (Transformer model = Transformer.load(backend, weights);
        Region region = backend.memory().allocate(plan.build())) {
      TrainingPass pass = new TrainingPass(model, hook(backend, region), region, limits);
      return new Evaluation(backend, pass, region, limits, prefixes).of(examples);
    }
  }

  @ParameterizedTest
  @EnumSource
  void theLossOfManyPromptsIsThatOfEachAlone(Prefixes prefixes) {
    double sum = 0;
    long targets = 0;
    for (Example example : examples()) {
      Evaluation.Result alone = evaluate(List.of(example), Prefixes.REPEATED);
      sum += alone.loss() * alone.targets();
      targets += alone.targets();
    }
    Evaluation.Result together = evaluate(examples(), prefixes);
    double bound = Tolerance.TRAINING_STEP.bound(precision());
    assertThat(together.targets()).isEqualTo(targets);
    assertThat(together.loss()).isCloseTo(sum / targets, within(bound * sum / targets));
  }
}
