package io.mola.perf.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.perf.gpu.MeasuringMachine.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * The archive for machines with a GPU, from its making to the report, on CUDA libraries that
 * compute on the CPU. Its numbers say nothing about speed; that they are there and make sense does.
 */
class MeasureProcessTest {
  private static final int EIGHT_MINUTES = 480;
  private static final int SECONDS_TO_KILL = 2;
  private static final int SECONDS_TO_REPORT = 10;

  @TempDir static Path folder;

  private static MeasuringMachine machine;
  private static Outcome outcome;
  private static JsonNode report;

  @BeforeAll
  static void measureEverything() throws Exception {
    machine = MeasuringMachine.prepare(folder);
    machine.program(
        "compute-sanitizer",
        "shift 4", // --tool NAME --error-exitcode 9
        "echo '========= COMPUTE-SANITIZER'",
        "\"$@\" || exit",
        "echo '========= ERROR SUMMARY: 0 errors'");
    outcome = machine.measure(Map.of(), "measured");
    assertThat(folder.resolve("measured/mola-gpu.json")).as(outcome.text()).exists();
    report = machine.report("measured");
  }

  private static JsonNode section(String name) {
    return report.path("sections").path(name);
  }

  private static JsonNode result(String name) {
    assertThat(section(name).path("status").asString("absent"))
        .as(section(name).toString())
        .isEqualTo("ok");
    return section(name).path("result");
  }

  @Test
  void theArchiveNeedsNoOtherJava() {
    assertThat(machine.calledJava()).doesNotExist();
  }

  @Test
  void everySectionEndsWellOrSaysWhyItIsLeftOut() {
    assertThat(outcome.exitCode()).as(outcome.text()).isZero();
    assertThat(report.path("ok").asBoolean(false)).isTrue();
    assertThat(report.path("sections").size()).isEqualTo(19);
    report
        .path("sections")
        .properties()
        .forEach(section -> {
          JsonNode value = section.getValue();
          if (value.path("status").asString("").equals("left out")) {
            assertThat(section.getKey()).isIn("torch", "goldens-f32");
            assertThat(value.path("message").asString("")).isNotBlank();
          } else {
            assertThat(value.path("status").asString("")).as(section.toString()).isEqualTo("ok");
            assertThat(value.path("result").isObject()).as(section.toString()).isTrue();
          }
        });
  }

  @Test
  void theContractOfBackendsHoldsInBothPrecisions() {
    for (String precision : List.of("f32", "bf16")) {
      JsonNode found = result("contracts-" + precision);
      assertThat(found.path("passed").asInt(0)).isGreaterThan(100);
      assertThat(found.path("failed").asInt(-1)).isZero();
    }
  }

  @Test
  void theDeviceAgreesWithTheCpuInEveryGradient() {
    JsonNode cases = result("parity-f32").path("cases");
    assertThat(cases.size()).isGreaterThan(100);
    for (JsonNode each : cases) {
      assertThat(each.path("ok").asBoolean(false)).as(each.toString()).isTrue();
    }
  }

  @Test
  void ratesArePositiveAndComparedWithTheLimits() {
    JsonNode limits = result("limits");
    assertThat(limits.path("copyGigaBytesPerSecond").asDouble(0)).isPositive();
    assertThat(limits.path("products").size()).isEqualTo(3);
    JsonNode rates = result("operations").path("rates");
    assertThat(rates.size()).isEqualTo(21);
    for (JsonNode rate : rates) {
      assertThat(rate.path("microseconds").asDouble(0)).as(rate.toString()).isPositive();
      assertThat(rate.path("shareOfLimit").asDouble(0)).as(rate.toString()).isPositive();
      assertThat(rate.path("boundBy").asString("")).isIn("memory", "products");
    }
  }

  @Test
  void trainingHasFiniteLossesAndStaysNearItsPlanOfDeviceMemory() {
    List<JsonNode> runs = new ArrayList<>();
    for (JsonNode section : report.path("sections")) {
      if (section.path("result").has("modelTeraFlops")) {
        runs.add(section.path("result"));
      }
    }
    assertThat(runs).hasSizeGreaterThanOrEqualTo(8);
    for (JsonNode run : runs) {
      assertThat(run.path("tokensPerSecond").asDouble(0)).as(run.toString()).isPositive();
      assertThat(run.path("shareOfCublas").asDouble(0)).as(run.toString()).isPositive();
      assertThat(run.path("losses").size()).isEqualTo(4);
      for (JsonNode loss : run.path("losses")) {
        // of a random base over 256 tokens: near the logarithm of 256
        assertThat(loss.asDouble(0)).as(run.toString()).isBetween(3.0, 9.0);
      }
      long plan = run.path("plannedBytes").asLong(0);
      assertThat(run.path("peakDeviceBytes").asLong(0))
          .as(run.toString())
          .isBetween(run.path("frozenBytes").asLong(0), plan);
    }
  }

  @Test
  void theGraphChangesNoLoss() {
    assertThat(result("training-1b-bf16").path("losses"))
        .isEqualTo(result("training-1b-bf16-no-graph").path("losses"));
  }

  @Test
  void theTableShowsWhatTheReportHolds() throws Exception {
    assertThat(machine.table("measured"))
        .contains(
            "tiny Q4_K MoLA 2468 2x32", "frozen forward Q4_K", "memcheck ========= ERROR SUMMARY")
        .contains("against simd, f32", "all sections that ran are good");
  }

  @Test
  void limitsOfAllSectionsAddUpToLessThanEightMinutes() throws Exception {
    Process process =
        new ProcessBuilder(folder + "/mola-gpu/measure.sh", "--limits")
            .redirectErrorStream(true)
            .start();
    int seconds = SECONDS_TO_REPORT + SECONDS_TO_KILL;
    List<String> lines = process.inputReader().lines().toList();
    for (String line : lines) {
      seconds += Integer.parseInt(line.split("\t", -1)[1]) + SECONDS_TO_KILL;
    }

    assertThat(lines).hasSize(19);
    assertThat(seconds).isLessThan(EIGHT_MINUTES);
  }

  @Test
  void aSectionThatFailsTakesNoOtherAlong() throws Exception {
    Outcome failed =
        machine.measure(
            Map.of("EMU_FAULT", "kernel adamw:1:719"),
            "failed",
            "--only",
            "probe,operations,limits");

    assertThat(failed.exitCode()).as(failed.text()).isEqualTo(1);
    JsonNode found = machine.report("failed");
    assertThat(found.path("ok").asBoolean(true)).isFalse();
    JsonNode operations = found.path("sections").path("operations");
    assertThat(operations.path("status").asString("")).isEqualTo("failed");
    assertThat(operations.path("message").asString("")).contains("CUDA_ERROR_LAUNCH_FAILED");
    assertThat(operations.path("result").path("rates").size())
        .as("what was measured before it failed")
        .isEqualTo(7);
    assertThat(found.path("sections").path("limits").path("status").asString("")).isEqualTo("ok");
  }

  @Test
  void aSectionThatHangsIsEndedAtItsLimit() throws Exception {
    machine.program("compute-sanitizer", "exec sleep 600");

    Outcome hung = machine.measure(Map.of("LIMIT", "3"), "hung", "--only", "memcheck");

    assertThat(hung.exitCode()).as(hung.text()).isEqualTo(1);
    JsonNode memcheck = machine.report("hung").path("sections").path("memcheck");
    assertThat(memcheck.path("status").asString("")).isEqualTo("timed out");
  }

  @Test
  void aMachineWithoutADeviceIsReportedAsSuch() throws Exception {
    Outcome blind =
        machine.measure(Map.of("EMU_FAULT", "cuInit:1:100:stays"), "blind", "--only", "probe");

    assertThat(blind.exitCode()).as(blind.text()).isEqualTo(1);
    assertThat(machine.report("blind").path("sections").path("probe").path("message").asString(""))
        .contains("no device");
  }
}
