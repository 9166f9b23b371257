package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.cli.MolaProcess.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two backends compared on a model and examples, by a started mola. */
class ParityProcessTest {
  @TempDir static Path folder;

  private static String model;
  private static String data;

  @BeforeAll
  static void write() throws Exception {
    MolaProcess.assumePackaged();
    model = SmallModel.write(folder.resolve("model.gguf"), 5).toString();
    data = SmallModel.examples(folder.resolve("data.jsonl"), 8, 3).toString();
  }

  private static Outcome compare(String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "verify",
                "--backend",
                "simd",
                "--base-model",
                model,
                "--data-path",
                data,
                "--num-experts",
                "3",
                "--batch-size",
                "4",
                "--micro-batch-size",
                "2",
                "--json"));
    arguments.addAll(Arrays.asList(more));
    return MolaProcess.run(folder, arguments.toArray(String[]::new));
  }

  @Test
  void simdAgreesWithTheReferenceInEveryGradient() throws Exception {
    Outcome outcome = compare("--against", "reference", "--tolerance", "1e-4");

    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(outcome.answer())
        .contains("\"ok\":true", "\"name\":\"simd against reference\"", "logits_rel", "losses_rel")
        .contains("layers.0.self_attn.q_proj.lora_A_0.weight")
        .contains("layers.1.mlp.down_proj.router.router.weight");
  }

  @Test
  void aToleranceBelowRoundingIsExceededWithExitCode2() throws Exception {
    Outcome outcome = compare("--against", "reference", "--tolerance", "1e-12");

    assertThat(outcome.exitCode()).as(outcome.text()).isEqualTo(2);
    assertThat(outcome.answer()).contains("\"ok\":false");
    assertThat(outcome.text()).contains("FAILED  simd against reference");
  }

  @Test
  void aBackendIsNotComparedWithItself() throws Exception {
    Outcome outcome = compare("--against", "simd");

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.text()).contains("give two different backends");
  }
}
