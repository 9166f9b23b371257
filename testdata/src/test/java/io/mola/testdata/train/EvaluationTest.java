package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.generate.Generator;
import io.mola.core.generate.Sampling;
import io.mola.core.model.PassLimits;
import io.mola.core.model.PlainProjections;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.train.Evaluation;
import io.mola.core.train.Prefixes;
import io.mola.testdata.TinyModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Exact match without generating agrees with generating. */
class EvaluationTest {
  private static final int VOCABULARY = 11;
  private static final int STOP = 3;
  private static final int OTHER_STOP = 7;
  private static final int LONGEST = 24;

  private Backend backend;
  private Transformer model;

  @BeforeEach
  void open() {
    backend = Backends.choose("reference").open(new BackendSettings(1, 0));
    model = Transformer.load(backend, new TinyModel(2, 4, 2, 4, 20, VOCABULARY, 5));
  }

  @AfterEach
  void close() {
    model.close();
    backend.close();
  }

  private static boolean stops(int id) {
    return id == STOP || id == OTHER_STOP;
  }

  private static Example example(int[] prompt, int... answer) {
    int[] tokens = IntStream.concat(IntStream.of(prompt), IntStream.of(answer)).toArray();
    int[] labels = tokens.clone();
    Arrays.fill(labels, 0, prompt.length, Example.IGNORE);
    return new Example(tokens, labels, Arrays.toString(tokens));
  }

  private int[] generated(int[] prompt, int most) {
    try (Generator generator =
        new Generator(model, new PlainProjections(backend), prompt.length + most)) {
      return generator.generate(prompt, most, Sampling.GREEDY, EvaluationTest::stops, id -> {});
    }
  }

  /** Whether greedy decoding, left alone, gives the answer of the example. */
  private boolean generates(Example example) {
    int begin = (int) IntStream.of(example.labels()).filter(l -> l == Example.IGNORE).count();
    int[] tokens = example.tokens();
    boolean ends = stops(tokens[tokens.length - 1]);
    int[] expected = Arrays.copyOfRange(tokens, begin, tokens.length - (ends ? 1 : 0));
    int[] answer = generated(Arrays.copyOf(tokens, begin), expected.length + (ends ? 1 : 0));
    return Arrays.equals(answer, expected);
  }

  private Evaluation.Result measure(Prefixes prefixes, List<Example> examples) {
    PassLimits limits = new PassLimits(40, 40, LONGEST, 1, 3);
    MemoryPlan.Builder plan = new MemoryPlan.Builder();
    TrainingPass.plan(plan, model.config(), limits);
    Evaluation.plan(plan);
    try (Region region = backend.memory().allocate(plan.build())) {
      TrainingPass pass = new TrainingPass(model, new PlainProjections(backend), region, limits);
      return new Evaluation(backend, pass, region, limits, prefixes)
          .withAnswers(examples, EvaluationTest::stops);
    }
  }

  /** Prompts with a common beginning; answers as generated, cut, changed, and with stop tokens. */
  private List<Example> examples() {
    Random random = new Random(8);
    int[] beginning = random.ints(9, 0, VOCABULARY).toArray();
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int[] rest = random.ints(1 + i % 3, 0, VOCABULARY).toArray();
      int[] prompt = IntStream.concat(IntStream.of(beginning), IntStream.of(rest)).toArray();
      int[] answer = generated(prompt, 6);
      for (int last : new int[] {STOP, OTHER_STOP, random.nextInt(VOCABULARY)}) {
        int[] ended = Arrays.copyOf(answer, answer.length + 1);
        ended[answer.length] = last;
        examples.add(example(prompt, ended));
      }
      if (answer.length > 0) {
        examples.add(example(prompt, answer));
        int[] changed = answer.clone();
        changed[random.nextInt(changed.length)] = random.nextInt(VOCABULARY);
        examples.add(example(prompt, changed));
      }
    }
    return examples;
  }

  @ParameterizedTest
  @EnumSource
  void exactMatchIsTheShareOfAnswersThatAreGenerated(Prefixes prefixes) {
    List<Example> examples = examples();
    long right = examples.stream().filter(this::generates).count();

    assertThat(right).isBetween(5L, examples.size() - 5L);
    assertThat(measure(prefixes, examples).exactMatch()).hasValue((double) right / examples.size());
  }

  @ParameterizedTest
  @EnumSource
  void eachExampleIsJudgedByItself(Prefixes prefixes) {
    for (Example example : examples()) {
      assertThat(measure(prefixes, List.of(example, example)).exactMatch())
          .as(example.origin())
          .hasValue(generates(example) ? 1 : 0);
    }
  }

  @Test
  void whatIsNotOnePromptAndOneAnswerCountsForTheLossAlone() {
    Example asked = examples().getFirst();
    int[] tokens = {1, 2, 4, 5, 6};
    Example twoTurns = new Example(tokens, new int[] {-100, 2, -100, 5, 6}, "two turns");
    Example wholly = new Example(tokens, tokens.clone(), "without a prompt");
    Evaluation.Result all = measure(Prefixes.SHARED, List.of(twoTurns, asked, wholly));

    assertThat(all.targets()).isEqualTo(3 + asked.targets() + 4);
    assertThat(all.exactMatch())
        .isEqualTo(measure(Prefixes.SHARED, List.of(asked)).exactMatch())
        .isPresent();
    assertThat(measure(Prefixes.SHARED, List.of(twoTurns, wholly)).exactMatch())
        .isEqualTo(OptionalDouble.empty());
  }
}
