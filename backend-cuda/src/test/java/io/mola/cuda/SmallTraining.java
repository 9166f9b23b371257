package io.mola.cuda;

import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.BalanceLoss;
import io.mola.core.adapter.ExpertAllocation;
import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendProvider;
import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Backends;
import io.mola.core.data.Example;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.CheckpointFolder;
import io.mola.core.train.Continuity;
import io.mola.core.train.FineTuneRequest;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.OptimizerConfig;
import io.mola.core.train.Prefixes;
import io.mola.core.train.TrainingListener;
import io.mola.testdata.TinyModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Function;

/**
 * A fine-tuning run on a random model of two layers that calls every group of operations: experts
 * and plain LoRA, dropout, balance loss, accumulation, recomputation, clipping, evaluation.
 *
 * @param steps optimiser steps
 * @param model that is trained
 */
record SmallTraining(int steps, TinyModel model) {
  private static final int VOCABULARY = 37;
  private static final long SEED = 11;

  /** Of a model whose matrices are a few KiB. */
  SmallTraining(int steps) {
    this(steps, new TinyModel(2, 4, 2, 8, 40, VOCABULARY, SEED));
  }

  /** Of a model whose matrices are 128 to 512 KiB, 9.5 MiB in all. */
  static SmallTraining ofLargerMatrices(int steps) {
    return new SmallTraining(steps, new TinyModel(4, 4, 2, 64, 512, VOCABULARY, SEED));
  }

  /** Runs on a backend that the function opens, and that is closed again. */
  FineTuneResult on(Function<BackendSettings, Backend> backend) {
    return on(backend, Continuity.NONE);
  }

  /** The same with checkpoints, or from one. */
  FineTuneResult on(Function<BackendSettings, Backend> backend, Continuity continuity) {
    FineTuning tuning = prepare(backend);
    return tuning.run(tuning.plan(), continuity, new TrainingListener() {});
  }

  /** Runs on the reference backend. */
  FineTuneResult onReference() {
    FineTuning tuning = prepare(Backends.choose("reference"));
    return tuning.run(tuning.plan(), Continuity.NONE, new TrainingListener() {});
  }

  /** A run that is not planned yet. */
  FineTuning prepare(Function<BackendSettings, Backend> backend) {
    return prepare(new Opened("cuda", backend));
  }

  private FineTuning prepare(BackendProvider backend) {
    ExpertAllocation allocation = new ExpertAllocation("1-3", "4", "2", 8, 0.1, List.of());
    return new FineTuning(
        new FineTuneRequest(
            model,
            backend,
            1,
            1L << 30,
            allocation.resolve(model.config()),
            Optional.empty(),
            BalanceLoss.MASKED,
            0.001,
            new OptimizerConfig(
                0.01, OptimizerConfig.Schedule.CONSTANT, 0, 0.9, 0.999, 1e-8, 0.01, 1.0),
            examples(4 * steps),
            examples(1),
            4,
            2,
            Prefixes.SHARED,
            1,
            steps,
            true,
            SEED));
  }

  /** Keeps a checkpoint after every step. */
  static Continuity checkpoints(Path output, Optional<Checkpoint> resume) {
    return new Continuity(
        "base", Optional.of(new CheckpointFolder(output, 1, 0, AdapterProvenance.UNKNOWN)), resume);
  }

  private static List<Example> examples(int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Example> result = new ArrayList<>();
    for (int e = 0; e < count; e++) {
      int[] tokens = random.ints(5 + e % 7, 0, VOCABULARY).toArray();
      int[] labels = tokens.clone();
      labels[1] = Example.IGNORE;
      result.add(new Example(tokens, labels, "example " + e));
    }
    return result;
  }

  /** A provider of backends that are opened by a function. */
  private record Opened(String name, Function<BackendSettings, Backend> function)
      implements BackendProvider {
    @Override
    public Availability probe() {
      return new Availability.Usable(0, "for tests");
    }

    @Override
    public Backend open(BackendSettings settings) {
      return function.apply(settings);
    }
  }
}
