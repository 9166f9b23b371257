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
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Runs the frozen model over the sequences of a {@link ReplayCase} and compares. */
final class ReplayVerifier {
  private static final int HEAD_ROWS = 64;

  private final Transformer model;
  private final Backend backend;
  private final int vocabulary;

  ReplayVerifier(Transformer model) {
    this.model = model;
    backend = model.backend();
    vocabulary = model.config().vocabularySize();
  }

  CaseResult run(ReplayCase c) {
    List<Measure> measures = new ArrayList<>();
    if (c.logits() != null || c.tokenLogProbabilities() != null) {
      compareRows(c, measures);
    }
    if (c.loss() != null) {
      double loss = loss(c.sequences());
      measures.add(new Measure("loss_abs", Math.abs(loss - c.loss()), c.lossTolerance()));
    }
    int @Nullable [] greedy = c.greedy();
    if (greedy != null) {
      measures.add(
          new Measure("greedy_mismatches", greedyMismatches(c.sequences().getFirst(), greedy), 0));
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
      measures.add(
          new Measure(
              "logits_max_abs",
              RecordedFloats.maxDifference(logits, positions, vocabulary, expected),
              c.logitsTolerance()));
    }
    double @Nullable [] expected = c.tokenLogProbabilities();
    if (expected != null) {
      measures.add(
          new Measure(
              "logprob_max_abs",
              logProbabilityDifference(c.sequences().getFirst(), logits, expected),
              c.logProbabilityTolerance()));
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
