package io.mola.core.verify;

import io.mola.core.adapter.AdapterParameters;
import io.mola.core.adapter.AdapterTensor;
import io.mola.core.adapter.MolaHook;
import io.mola.core.backend.Backend;
import io.mola.core.backend.Region;
import io.mola.core.data.Example;
import io.mola.core.failure.MalformedFileException;
import io.mola.core.model.PassLimits;
import io.mola.core.model.TokenBatch;
import io.mola.core.model.TrainingPass;
import io.mola.core.model.Transformer;
import io.mola.core.safetensors.SafetensorsFile;
import io.mola.core.safetensors.SafetensorsTensor;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.train.BatchBuilder;
import io.mola.core.train.Prefixes;
import io.mola.core.train.TrainingStep;
import io.mola.core.train.TrainingStep.Measured;
import io.mola.core.verify.CaseResult.Measure;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Replays a recorded training run: logits, losses, balance, picks, every gradient, AdamW on
 * recorded gradients, one step, and a trajectory. Tolerances in float32 are those of the
 * recording's description: they leave a factor of 3 to 20 for another order of summation. Those of
 * other precisions: {@link Tolerances}.
 */
final class StepVerifier {
  private static final int HEAD_ROWS = 32;
  private static final String START = "adapter_init.safetensors";
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final StepCase c;
  private final Transformer model;
  private final Backend backend;
  private final AdapterParameters adapter;
  private Tolerances tolerances;
  private final List<Measure> measures = new ArrayList<>();

  StepVerifier(StepCase c, Transformer model) {
    this.c = c;
    this.model = model;
    backend = model.backend();
    adapter = new AdapterParameters(model.config(), c.shape());
    tolerances = new Tolerances(backend.precision(), model.config().layers());
  }

  CaseResult run(String name) {
    firstStep();
    optimizerAlone();
    trajectory();
    return CaseResult.measured(name, measures);
  }

  /** Buffers and operations of one run from the recorded start. */
  private final class Run implements AutoCloseable {
    final Region region;
    final TrainingPass pass;
    final MolaHook hook;
    final TrainingStep step;

    Run() {
      PassLimits limits = limits();
      MemoryPlan.Builder plan = new MemoryPlan.Builder();
      TrainingPass.plan(plan, model.config(), limits);
      TrainingStep.plan(plan, adapter);
      MolaHook.plan(plan, adapter, c.balance(), limits.tokens());
      MolaHook.inferencePlan(plan, adapter, limits.tokens());
      region = backend.memory().allocate(plan.build());
      hook =
          new MolaHook(
              backend,
              adapter,
              region,
              region.tensor(TrainingStep.PARAMETERS),
              region.tensor(TrainingStep.GRADIENTS),
              new MolaHook.Settings(c.balance(), c.coefficient(), 0));
      pass = new TrainingPass(model, hook, region, limits);
      step = new TrainingStep(backend, pass, hook, region, c.optimizer());
      upload(START, TrainingStep.PARAMETERS);
    }

    void upload(String file, String slot) {
      backend.memory().upload(flat(c.folder().resolve(file)), region.tensor(slot));
    }

    float[] download(String slot) {
      Tensor tensor = region.tensor(slot);
      float[] values = new float[tensor.rows() * tensor.cols()];
      backend.memory().download(tensor, values);
      return values;
    }

    @Override
    public void close() {
      region.close();
    }
  }

  private void firstStep() {
    GoldenJson expected = GoldenJson.read(c.folder().resolve("step.json"));
    List<TokenBatch> batches = BatchBuilder.microBatches(c.steps().getFirst(), Prefixes.REPEATED);
    try (Run run = new Run()) {
      Measured measured = run.step.gradients(batches, 0, false);
      double ce = expected.require("loss_ce_f64").asDouble();
      double total = expected.require("loss_total_f64").asDouble();
      add("loss_abs", new Worst().add(measured.loss(), ce), 1e-5, 1);
      double ownTotal = measured.loss() + c.coefficient() * aux(measured);
      add("loss_total_abs", new Worst().add(ownTotal, total), 1e-5, 1);
      double[] aux = GoldenJson.doubles(expected.require("aux_per_layer_f64"));
      Worst worst = new Worst();
      for (int l = 0; l < aux.length; l++) {
        worst.add(measured.balance()[l], aux[l]);
      }
      add("aux_abs", worst, 2e-6, 2);
      if (batches.size() == 1) {
        PickComparison picks = PickComparison.of(run.hook, expected);
        measures.add(
            tolerances.areRecorded()
                ? new Measure("pick_mismatches", picks.mismatches(), 0)
                : tolerances.share("pick_mismatch_share", picks.share(), 0, 1));
        tolerances = picks.mismatches() == 0 ? tolerances : tolerances.afterATurn();
      }
      double norm = expected.require("grad_norm_f64").asDouble();
      double normOff = Math.abs(measured.gradientNorm() / norm - 1);
      measures.add(tolerances.share("grad_norm_rel", normOff, 2e-6, 1));
      float[] recorded = flat(c.folder().resolve("grads.safetensors"));
      compareGradients(run.download(TrainingStep.GRADIENTS), recorded);
      compareLogits(run);
      run.step.update(c.firstRate(), 1);
      compareParameters(run, "after_1", 2 * c.firstRate());
    }
  }

  private void compareGradients(float[] own, float[] recorded) {
    if (tolerances.areRecorded()) {
      measures.add(new Measure("grads_of_largest", gradientDifference(own, recorded), 1e-4));
    } else {
      double off = RecordedFloats.ofWay(own, recorded, new float[own.length]);
      measures.add(tolerances.share("grads_rel", off, 0, Tolerances.GRADIENTS));
    }
  }

  private void add(String key, Worst worst, double recorded, double factor) {
    measures.add(tolerances.measure(key, worst, recorded, factor));
  }

  private void compareLogits(Run run) {
    List<List<Example>> micro = c.steps().getFirst();
    int vocabulary = model.config().vocabularySize();
    Path file = c.folder().resolve("logits.safetensors");
    Worst worst = new Worst();
    for (int i = 0; i < micro.size(); i++) {
      float[] expected = RecordedFloats.read(file, micro.size() == 1 ? "logits" : "logits_" + i);
      TokenBatch batch = ReplayVerifier.everyRow(BatchBuilder.of(micro.get(i)));
      float[] logits = new float[batch.size() * vocabulary];
      run.pass.upload(batch);
      run.pass.logits(logits);
      float[] kept = unpadded(expected, c.masks().get(i), vocabulary);
      int[] rows = IntStream.range(0, batch.size()).toArray();
      worst.add(logits, rows, vocabulary, kept);
    }
    add("logits_max_abs", worst, 5e-5, 1);
  }

  /** The rows of real tokens of recorded logits [rows, tokens, V]. */
  private static float[] unpadded(float[] recorded, int[][] masks, int vocabulary) {
    int real = 0;
    for (int[] mask : masks) {
      real += IntStream.of(mask).sum();
    }
    float[] kept = new float[real * vocabulary];
    int to = 0;
    for (int r = 0; r < masks.length; r++) {
      for (int t = 0; t < masks[r].length; t++) {
        if (masks[r][t] == 1) {
          int from = (r * masks[r].length + t) * vocabulary;
          System.arraycopy(recorded, from, kept, to, vocabulary);
          to += vocabulary;
        }
      }
    }
    return kept;
  }

  /** AdamW and clipping on the recorded gradients, so that rounding of gradients plays no part. */
  private void optimizerAlone() {
    try (Run run = new Run()) {
      run.upload("grads.safetensors", TrainingStep.GRADIENTS);
      run.step.measureNorm();
      run.step.update(c.firstRate(), 1);
      float[] own = run.download(TrainingStep.PARAMETERS);
      float[] recorded = flat(c.folder().resolve("after_1.safetensors"));
      measures.add(new Measure("after_1_from_recorded_grads_abs", maxAbs(own, recorded), 2e-7));
    }
  }

  private void trajectory() {
    GoldenJson expected = GoldenJson.read(c.folder().resolve("trajectory.json"));
    Worst loss = new Worst();
    Worst aux = new Worst();
    double norm = 0;
    try (Run run = new Run()) {
      int s = 0;
      for (var recorded : expected.require("steps")) {
        Measured m =
            run.step.gradients(
                BatchBuilder.microBatches(c.steps().get(s % c.steps().size()), Prefixes.REPEATED),
                s,
                false);
        double total = m.loss() + c.coefficient() * aux(m);
        double recordedTotal = expected.require(recorded, "loss_total_f64").asDouble();
        loss.add(total, recordedTotal);
        double recordedAux = expected.require(recorded, "aux_f64").asDouble();
        aux.add(aux(m), recordedAux);
        double recordedNorm = expected.require(recorded, "grad_norm_f64").asDouble();
        norm = RecordedFloats.worse(norm, Math.abs(m.gradientNorm() / recordedNorm - 1));
        run.step.update(c.rates()[s], s + 1);
        s++;
      }
      add("trajectory_loss_abs", loss, 2e-5, 1);
      add("trajectory_aux_abs", aux, 5e-6, 2);
      measures.add(tolerances.share("trajectory_grad_norm_rel", norm, 1e-5, Tolerances.MOVES));
      compareParameters(run, "after_20", 1e-3);
    }
  }

  private static double aux(Measured measured) {
    double sum = 0;
    for (double l : measured.balance()) {
      sum += l;
    }
    return sum;
  }

  private void compareParameters(Run run, String recordedName, double bound) {
    float[] own = run.download(TrainingStep.PARAMETERS);
    float[] recorded = flat(c.folder().resolve(recordedName + ".safetensors"));
    if (!tolerances.areRecorded()) {
      float[] start = flat(c.folder().resolve(START));
      double way = RecordedFloats.ofWay(own, recorded, start);
      measures.add(new Measure(recordedName + "_rel", way, Tolerances.way(tolerances.relative())));
      return;
    }
    long beyond = 0;
    for (int i = 0; i < own.length; i++) {
      beyond += Math.abs((double) own[i] - recorded[i]) <= 1e-5 ? 0 : 1;
    }
    double share = (double) beyond / adapter.shape().parameters(model.config());
    measures.add(new Measure(recordedName + "_share_beyond_1e-5", share, 1e-3));
    measures.add(new Measure(recordedName + "_max_abs", maxAbs(own, recorded), bound));
  }

  private static double maxAbs(float[] own, float[] recorded) {
    int[] all = IntStream.range(0, own.length).toArray();
    return RecordedFloats.maxDifference(own, all, 1, recorded);
  }

  /** Largest difference of any gradient, as a share of the largest element of its tensor. */
  private double gradientDifference(float[] own, float[] recorded) {
    double worst = 0;
    for (AdapterTensor tensor : adapter.tensors()) {
      float[] a = tensor.read(own);
      float[] b = tensor.read(recorded);
      double largest = 0;
      double difference = 0;
      for (int i = 0; i < a.length; i++) {
        largest = Math.max(largest, Math.abs(b[i]));
        difference = RecordedFloats.worse(difference, Math.abs((double) a[i] - b[i]));
      }
      worst = RecordedFloats.worse(worst, difference / (largest + 1e-5));
    }
    return worst;
  }

  private float[] flat(Path file) {
    float[] flat = new float[adapter.size()];
    try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
      for (AdapterTensor tensor : adapter.tensors()) {
        SafetensorsTensor found = safetensors.tensors().get(tensor.name());
        if (found == null || !found.hasShape(tensor.rows(), tensor.cols())) {
          throw new MalformedFileException(
              file, "no tensor %s [%d, %d]".formatted(tensor.name(), tensor.rows(), tensor.cols()));
        }
        tensor.write(found.bytes().toArray(FLOAT), flat);
      }
    }
    return flat;
  }

  private PassLimits limits() {
    int tokens = 1;
    int positions = 1;
    for (List<List<Example>> step : c.steps()) {
      for (List<Example> micro : step) {
        tokens = Math.max(tokens, micro.stream().mapToInt(Example::length).sum());
        positions = Math.max(positions, micro.stream().mapToInt(Example::length).max().orElse(1));
      }
    }
    return new PassLimits(tokens, tokens, positions, 1, HEAD_ROWS);
  }
}
