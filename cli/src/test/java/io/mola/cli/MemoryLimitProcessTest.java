package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.cli.MolaProcess.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A limit of memory as a process: what it refuses, keeps and changes. */
class MemoryLimitProcessTest {
  /** Enough for activations to weigh something beside the Java virtual machine. */
  private static final int BATCH = 256;

  private static final int PREAMBLE = 56;

  /** Losses of float32 sums in another order, over three updates. */
  private static final Offset<Double> ROUNDING = Offset.offset(1e-5);

  @TempDir static Path folder;

  private static Path model;
  private static Path data;

  @BeforeAll
  static void files() throws IOException {
    MolaProcess.assumePackaged();
    model = SmallModel.write(folder.resolve("model.gguf"), 1);
    data = SmallModel.examples(folder.resolve("data.jsonl"), BATCH, PREAMBLE);
  }

  @Test
  void aLimitThatCannotBeMetIsRefusedAndTheSmallestThatItNamesIsMet() throws Exception {
    Outcome refused = run(folder.resolve("refused"), "--max-memory=64M");
    assertThat(refused.exitCode()).as(refused.text()).isEqualTo(2);
    assertThat(folder.resolve("refused")).doesNotExist();
    Matcher named = Pattern.compile("--max-memory ([0-9]+)M").matcher(refused.text());
    assertThat(named.find()).as(refused.text()).isTrue();
    long smallest = Long.parseLong(named.group(1));

    assertThat(run(folder.resolve("below"), "--max-memory=" + (smallest - 1) + "M").exitCode())
        .isEqualTo(2);
    JsonNode limited = answer(folder.resolve("limited"), "--max-memory=" + smallest + "M");
    JsonNode free = answer(folder.resolve("free"));

    assertThat(limited.get("peak_rss_bytes").longValue()).isLessThanOrEqualTo(smallest << 20);
    assertThat(limited.get("planned_bytes").longValue())
        .isLessThan(free.get("planned_bytes").longValue());
    for (int step = 0; step < 3; step++) {
      assertThat(limited.get("train_losses").get(step).doubleValue())
          .isCloseTo(free.get("train_losses").get(step).doubleValue(), ROUNDING);
    }
  }

  @Test
  void leftToTheProgramAsManyExamplesRunAtOnceAsTheLimitAllows() throws Exception {
    Outcome refused = run(folder.resolve("refused-too"), "--max-memory=64M");
    Matcher named = Pattern.compile("([0-9]+)M with --micro-batch-size 1").matcher(refused.text());
    assertThat(named.find()).as(refused.text()).isTrue();

    JsonNode free = answer(folder.resolve("free-auto"), "--micro-batch-size=auto");
    JsonNode limited =
        answer(
            folder.resolve("limited-auto"),
            "--micro-batch-size=auto",
            "--max-memory=" + named.group(1) + "M");

    assertThat(free.get("micro_batch_size").intValue()).isEqualTo(BATCH);
    assertThat(limited.get("micro_batch_size").intValue()).isLessThan(BATCH / 2);
    assertThat(limited.get("peak_rss_bytes").longValue())
        .isLessThanOrEqualTo(Long.parseLong(named.group(1)) << 20);
  }

  @Test
  void blocksThatAreComputedAgainChangeNoByte() throws Exception {
    Path kept = folder.resolve("kept");
    Path again = folder.resolve("again");
    answer(kept);
    answer(again, "--gradient-checkpointing=on");

    assertThat(Files.readAllBytes(again.resolve("adapter_model.safetensors")))
        .isEqualTo(Files.readAllBytes(kept.resolve("adapter_model.safetensors")));
  }

  private static JsonNode answer(Path out, String... options) throws Exception {
    Outcome outcome = run(out, options);
    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    return JsonMapper.shared().readTree(outcome.answer());
  }

  private static Outcome run(Path out, String... options) throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "finetune",
                "--json",
                "--base-model=" + model,
                "--data-path=" + data,
                "--output-dir=" + out,
                "--batch-size=" + BATCH,
                "--no-share-prefix",
                "--max-steps=3"));
    arguments.addAll(List.of(options));
    if (arguments.stream().noneMatch(option -> option.startsWith("--micro-batch-size"))) {
      arguments.add("--micro-batch-size=" + BATCH / 2);
    }
    return MolaProcess.run(folder, arguments.toArray(String[]::new));
  }
}
