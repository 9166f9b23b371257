package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.mola.core.adapter.AdapterFolder;
import io.mola.core.adapter.AdapterProvenance;
import io.mola.core.adapter.LoadedAdapter;
import io.mola.core.failure.UsageException;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.CheckpointFolder;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.core.train.Prefixes;
import io.mola.core.train.StepReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ResumedRunTest {
  @TempDir private Path output;

  @ParameterizedTest
  @EnumSource
  void aRunResumedAfterAnyStepEndsWithTheBitsOfTheUninterruptedRun(Schedule schedule) {
    TinyRun run = new TinyRun();
    run.schedule = schedule;
    FineTuneResult whole = run.run();
    assertThat(whole.steps()).hasSize(TinyRun.STEPS);
    run.run(output, 1, 0, TinyRun.STEPS);

    for (int step = 1; step <= TinyRun.STEPS; step++) {
      FineTuneResult resumed = run.resume(output, checkpoint(step));
      assertThat(resumed.parameters()).as("after step %d", step).isEqualTo(whole.parameters());
      assertThat(resumed.resumedStep()).isEqualTo(step);
      assertThat(losses(resumed)).isEqualTo(losses(whole).subList(step, TinyRun.STEPS));
    }
  }

  @Test
  void aRunThatIsStoppedKeepsTheStateOfItsLastStep() {
    TinyRun run = new TinyRun();
    FineTuneResult stopped = run.run(output, 1000, 0, 5);

    assertThat(stopped.stoppedEarly()).isTrue();
    assertThat(stopped.checkpoint()).contains(checkpoint(5));
    assertThat(run.resume(output, checkpoint(5)).parameters()).isEqualTo(run.run().parameters());
  }

  @Test
  void aRunThatGoesOnFromAnAdapterIsResumedLikeAnyOther() {
    TinyRun first = new TinyRun();
    FineTuneResult trained = first.run();
    LoadedAdapter adapter =
        new LoadedAdapter(
            output, trained.adapter(), trained.parameters(), AdapterProvenance.UNKNOWN);
    TinyRun second = new TinyRun();
    second.start = Optional.of(adapter);
    second.run(output, 4, 0, TinyRun.STEPS);

    assertThat(second.resume(output, checkpoint(4)).parameters())
        .isEqualTo(second.run().parameters())
        .isNotEqualTo(trained.parameters());
    second.start = Optional.empty();
    assertRefused(second, checkpoint(4), "made with adapter SHA-256 ", ", but now it is none;");
  }

  @Test
  void aRunFromAnAdapterBeginsWithItsParameters() {
    TinyRun first = new TinyRun();
    FineTuneResult trained = first.run();
    TinyRun second = new TinyRun();
    second.start =
        Optional.of(
            new LoadedAdapter(
                output, trained.adapter(), trained.parameters(), AdapterProvenance.UNKNOWN));
    second.rate = 0;

    assertThat(second.run().parameters()).isEqualTo(trained.parameters());
  }

  @Test
  void aCheckpointIsAnAdapterToo() {
    TinyRun run = new TinyRun();
    FineTuneResult stopped = run.run(output, 1000, 0, 5);
    LoadedAdapter loaded =
        AdapterFolder.load(checkpoint(5), run.model.config(), AdapterFolder.Defaults.OF_THE_PAPER);

    assertThat(loaded.parameters()).isEqualTo(stopped.parameters());
  }

  static Stream<Arguments> differences() {
    return Stream.of(
        different("base_model fingerprint f1", "fingerprint f2", r -> r.base = "f2"),
        different("num_experts, lora_r, top_k experts", "experts", r -> r.topExperts = 4),
        different("lora_alpha 4.0", "8.0", r -> r.alpha = 8),
        different("lora_dropout 0.3", "0.0", r -> r.dropout = 0),
        different("router_aux_loss_coef 0.01", "0.02", r -> r.balance = 0.02),
        different("data_path 10 examples, SHA-256", "10 examples", r -> r.dataSeed = 6),
        different("batch_size 4", "2", r -> r.batch = 2),
        different("micro_batch_size 2", "4", r -> r.microBatch = 4),
        different("share_prefix true", "false", r -> r.prefixes = Prefixes.REPEATED),
        different("steps (max_steps, num_epochs) 9", "12", r -> r.epochs = 4),
        different("seed 42", "43", r -> r.seed = 43),
        different("learning_rate 0.01", "0.02", r -> r.rate = 0.02),
        different("lr_scheduler_type cosine", "linear", r -> r.schedule = Schedule.LINEAR),
        different("warmup_steps 4", "5", r -> r.warmup = 5),
        different("weight_decay 0.1", "0.0", r -> r.decay = 0),
        different("max_grad_norm 0.5", "1.0", r -> r.clip = 1));
  }

  @ParameterizedTest
  @MethodSource("differences")
  void aCheckpointOfAnotherRunIsRefusedWithTheDifference(
      String then, String now, Consumer<TinyRun> change) {
    new TinyRun().run(output, 3, 0, 3);
    TinyRun other = new TinyRun();
    change.accept(other);

    assertRefused(other, checkpoint(3), ": made with " + then, "but now it is " + now);
  }

  @Test
  void theNewestCheckpointsAreKept() throws IOException {
    new TinyRun().run(output, 2, 2, TinyRun.STEPS);

    assertThat(names()).containsExactly("checkpoint-6", "checkpoint-8");
    assertThat(Checkpoint.latest(output).step()).isEqualTo(8);
  }

  @Test
  void theFirstCheckpointReplacesThoseOfAnotherRunAndWhatAKilledRunHasLeft() throws IOException {
    new TinyRun().run(output, 3, 0, TinyRun.STEPS);
    Files.createDirectories(output.resolve(".checkpoint-7.part/x"));
    Files.createDirectories(output.resolve(".checkpoint-2.old"));
    assertThatThrownBy(() -> CheckpointFolder.requireNone(output, false))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            checkpoint(9)
                + ": a checkpoint of an earlier run; go on with --resume-from-checkpoint latest,"
                + " choose another folder or pass --overwrite");
    CheckpointFolder.requireNone(output, true);
    new TinyRun().run(output, 4, 0, 6);

    assertThat(names()).containsExactly("checkpoint-4", "checkpoint-6");
  }

  @Test
  void withoutACheckpointThereIsNoLatest() {
    assertThatThrownBy(() -> Checkpoint.latest(output))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            output + ": holds no checkpoint to go on from; start without --resume-from-checkpoint");
  }

  private void assertRefused(TinyRun run, Path checkpoint, String then, String now) {
    assertThatThrownBy(() -> run.resume(output, checkpoint))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(checkpoint.toString())
        .hasMessageContainingAll(then, now, "; give the settings of that run, or start a new run")
        .message()
        .doesNotContain("\n");
  }

  private static Arguments different(String then, String now, Consumer<TinyRun> change) {
    return argumentSet(then, then, now, change);
  }

  private Path checkpoint(int step) {
    return output.resolve("checkpoint-" + step);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> entries = Files.list(output)) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }

  private static List<Double> losses(FineTuneResult result) {
    return result.steps().stream().map(StepReport::loss).toList();
  }
}
