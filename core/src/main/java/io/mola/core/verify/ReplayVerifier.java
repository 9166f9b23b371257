package io.mola.core.verify;

import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.generate.Generator;
import io.mola.core.generate.Sampling;
import io.mola.core.model.LinearHook.Pass;
import io.mola.core.model.PassLimits;
import io.mola.core.model.PlainProjections;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.train.BatchBuilder;
import io.mola.core.verify.CaseResult.Measure;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Runs the frozen model over the sequences of a {@link ReplayCase} and compares. */
final class ReplayVerifier {
  private static final int HEAD_ROWS = 64;

  private final Transformer model;
  private final Backend backend;
  private final int vocabulary;
  private final Tolerances tolerances;

  ReplayVerifier(Transformer model) {
    this.model = model;
    backend = model.backend();
    vocabulary = model.config().vocabularySize();
    tolerances = new Tolerances(backend.precision(), model.config().layers());
  }

  CaseResult run(ReplayCase c) {
    List<Measure> measures = new ArrayList<>();
    if (c.logits() != null || c.tokenLogProbabilities() != null) {
      compareRows(c, measures);
    }
    if (c.loss() != null) {
      double loss = loss(c.sequences());
      measures.add(
          tolerances.measure("loss_abs", new Worst().add(loss, c.loss()), c.lossTolerance(), 1));
    }
    int @Nullable [] greedy = c.greedy();
    if (greedy != null) {
      Example prompt = c.sequences().getFirst();
      measures.add(
          tolerances.areRecorded()
              ? new Measure("greedy_mismatches", greedyMismatches(prompt, greedy), 0)
              : tolerances.share("greedy_margin_rel", greedyMargin(prompt, greedy), 0, 2));
    }
    return CaseResult.measured(c.name(), measures);
  }

  private void compareRows(ReplayCase c, List<Measure> measures) {
    float[] logits = allLogits(c.sequences());
    ReplayCase.@Nullable Logits recorded = c.logits();
    if (recorded != null) {
      int rows = logits.length / vocabulary;
      int[] positions =
          recorded.positions() == null ? IntStream.range(0, rows).toArray() : recorded.positions();
      float[] expected = RecordedFloats.read(recorded.file(), recorded.tensor());
      Worst worst = new Worst().add(logits, positions, vocabulary, expected);
      measures.add(tolerances.measure("logits_max_abs", worst, c.logitsTolerance(), 1));
    }
    double @Nullable [] expected = c.tokenLogProbabilities();
    if (expected != null) {
      double worst = logProbabilityDifference(c.sequences().getFirst(), logits, expected);
      measures.add(
          tolerances.areRecorded()
              ? new Measure("logprob_max_abs", worst, c.logProbabilityTolerance())
              : tolerances.share("logprob_rel", worst / RecordedFloats.largest(logits), 0, 2));
    }
  }

  private double logProbabilityDifference(Example sequence, float[] logits, double[] expected) {
    double worst = sequence.targets() == expected.length ? 0 : Double.NaN;
    int target = 0;
    for (int t = 1; t < sequence.length() && target < expected.length; t++) {
      if (sequence.labels()[t] != Example.IGNORE) {
        double p = logProbability(logits, (t - 1) * vocabulary, sequence.labels()[t]);
        worst = RecordedFloats.worse(worst, Math.abs(p - expected[target++]));
      }
    }
    return worst;
  }

  private double logProbability(float[] logits, int offset, int id) {
    double max = Double.NEGATIVE_INFINITY;
    for (int v = 0; v < vocabulary; v++) {
      max = Math.max(max, logits[offset + v]);
    }
    double sum = 0;
    for (int v = 0; v < vocabulary; v++) {
      sum += Math.exp(logits[offset + v] - max);
    }
    return logits[offset + id] - max - Math.log(sum);
  }

  private float[] allLogits(List<Example> sequences) {
    TokenBatch batch = everyRow(BatchBuilder.of(sequences));
    float[] logits = new float[Math.multiplyExact(batch.size(), vocabulary)];
    try (Region region = region(batch)) {
      TrainingPass pass = pass(region, batch);
      pass.upload(batch);
      pass.logits(logits);
    }
    return logits;
  }

  private double loss(List<Example> sequences) {
    TokenBatch batch = BatchBuilder.of(sequences);
    try (Region region = region(batch)) {
      TrainingPass pass = pass(region, batch);
      Tensor loss = region.tensor("loss");
      pass.upload(batch);
      pass.forward(Pass.INFERENCE, 1, loss);
      float[] sum = new float[1];
      backend.memory().download(loss, sum);
      return sum[0] / batch.labelled();
    }
  }

  private int greedyMismatches(Example prompt, int[] expected) {
    PlainProjections hook = new PlainProjections(backend);
    try (Generator generator = new Generator(model, hook, prompt.length() + expected.length)) {
      int[] answer =
          generator.generate(
              prompt.tokens(), expected.length, Sampling.GREEDY, id -> false, id -> {});
      return (int)
          IntStream.range(0, expected.length).filter(i -> answer[i] != expected[i]).count();
    }
  }

  /**
   * How far the recorded tokens, fed one after the other, are from being the likeliest: the largest
   * lead of another token's logit, as a share of the largest logit. Where numbers are rounded
   * coarsely a continuation of its own may turn off at a near tie, and all after it differs.
   */
  private double greedyMargin(Example prompt, int[] expected) {
    int n = prompt.length();
    int[] tokens = Arrays.copyOf(prompt.tokens(), n + expected.length);
    System.arraycopy(expected, 0, tokens, n, expected.length);
    float[] logits = allLogits(List.of(new Example(tokens, tokens, prompt.origin())));
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      int row = (n - 1 + i) * vocabulary;
      float[] values = Arrays.copyOfRange(logits, row, row + vocabulary);
      for (float value : values) {
        worst = RecordedFloats.worse(worst, (double) value - values[expected[i]]);
      }
    }
    return worst / RecordedFloats.largest(logits);
  }

  /** The batch with every row labelled, so that all logits are computed. */
  static TokenBatch everyRow(TokenBatch b) {
    int n = b.size();
    int[] zeros = new int[n];
    return new TokenBatch(
        b.tokens(),
        b.positions(),
        b.spans(),
        b.rowWeights(),
        IntStream.range(0, n).toArray(),
        zeros,
        zeros,
        0,
        0);
  }

  private PassLimits limits(TokenBatch batch) {
    int longest = IntStream.of(batch.positions()).max().orElse(0) + 1;
    return new PassLimits(batch.size(), Math.max(1, batch.labelled()), longest, 1, HEAD_ROWS);
  }

  private Region region(TokenBatch batch) {
    MemoryPlan.Builder plan = new MemoryPlan.Builder().f32("loss", 1, 1);
    TrainingPass.plan(plan, model.config(), limits(batch));
    return backend.memory().allocate(plan.build());
  }

  private TrainingPass pass(Region region, TokenBatch batch) {
    return new TrainingPass(model, new PlainProjections(backend), region, limits(batch));
  }
}
