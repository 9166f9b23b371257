package io.mola.testdata.train;

import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.AdapterShape;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.Backends;
import io.mola.core.data.Example;
import io.mola.core.model.Projection;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.CheckpointFolder;
import io.mola.core.train.Continuity;
import io.mola.core.train.FineTuneRequest;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import io.mola.core.train.StepReport;
import io.mola.core.train.TrainingListener;
import io.mola.testdata.TinyModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/** A fine-tuning run of some steps on the reference backend, with everything on that has state. */
final class TinyRun {
  static final int STEPS = 9;
  private static final int VOCABULARY = 19;

  final TinyModel model = new TinyModel(2, 2, 1, 4, 10, VOCABULARY, 7);
  String base = "f1";
  Schedule schedule = Schedule.COSINE;
  double rate = 0.01;
  int warmup = 4;
  double decay = 0.1;
  double clip = 0.5;
  double alpha = 4;
  double dropout = 0.3;
  int topExperts = 3;
  int batch = 4;
  int microBatch = 2;
  Prefixes prefixes = Prefixes.SHARED;
  int epochs = 3;
  long seed = 42;
  boolean recompute;
  long memoryLimit = Long.MAX_VALUE;
  long dataSeed = 5;
  double balance = 0.01;
  Optional<LoadedAdapter> start = Optional.empty();
  BackendProvider backend = Backends.choose("reference");

  FineTuneRequest request() {
    List<Projection> all = List.of(Projection.values());
    AdapterShape shape =
        new AdapterShape(
            List.of(
                AdapterShape.uniformLayer(all, 1, 2, 2),
                AdapterShape.uniformLayer(all, topExperts, 2, 2)),
            alpha,
            dropout);
    return new FineTuneRequest(
        model,
        backend,
        1,
        memoryLimit,
        start.map(adapter -> adapter.layout().shape()).orElse(shape),
        start,
        BalanceLoss.MASKED,
        balance,
        new OptimizerConfig(rate, schedule, warmup, 0.9, 0.999, 1e-8, decay, clip),
        examples(),
        List.of(),
        batch,
        microBatch,
        prefixes,
        epochs,
        0,
        recompute,
        seed);
  }

  /** Runs to the end. */
  FineTuneResult run() {
    return run(Continuity.NONE, STEPS);
  }

  /** Runs to the end and tells a listener. */
  FineTuneResult run(TrainingListener listener) {
    FineTuning tuning = new FineTuning(request());
    return tuning.run(tuning.plan(), Continuity.NONE, listener);
  }

  /** Runs until so many steps are done, with checkpoints. */
  FineTuneResult run(Path output, int every, int keep, int until) {
    return run(continuity(output, every, keep, Optional.empty()), until);
  }

  /** Goes on from a checkpoint to the end. */
  FineTuneResult resume(Path output, Path checkpoint) {
    return run(
        continuity(output, Integer.MAX_VALUE, 0, Optional.of(Checkpoint.open(checkpoint))), STEPS);
  }

  private Continuity continuity(Path output, int every, int keep, Optional<Checkpoint> resume) {
    CheckpointFolder where = new CheckpointFolder(output, every, keep, AdapterProvenance.UNKNOWN);
    return new Continuity(base, Optional.of(where), resume);
  }

  private FineTuneResult run(Continuity continuity, int until) {
    FineTuning tuning = new FineTuning(request());
    return tuning.run(
        tuning.plan(),
        continuity,
        new TrainingListener() {
          private int done;

          @Override
          public void started(int firstStep, int totalSteps) {
            done = firstStep;
          }

          @Override
          public void step(StepReport report) {
            done = report.step() + 1;
          }

          @Override
          public boolean stopRequested() {
            return done >= until;
          }
        });
  }

  private List<Example> examples() {
    SplittableRandom random = new SplittableRandom(dataSeed);
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      int[] tokens = random.ints(3 + i % 4, 0, VOCABULARY).toArray();
      int[] labels = tokens.clone();
      labels[1] = Example.IGNORE;
      examples.add(new Example(tokens, labels, "test:" + i));
    }
    return examples;
  }
}
