package io.mola.testdata.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.train.LearningRate;
import io.mola.core.train.OptimizerConfig.Schedule;
import io.mola.testdata.Fixtures;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** The rates of every recorded schedule that mola offers, and of the steps after the last. */
class LearningRateGoldenTest {
  /**
   * The recorded rates were computed in double by the same formulas, perhaps in another order: a
   * few units in the last place of values up to 3e-4.
   */
  private static final double TOLERANCE = 1e-18;

  /** Recorded, but no schedule of mola. */
  private static final String NOT_OFFERED = "cosine_with_restarts";

  @TestFactory
  Stream<DynamicTest> ratesEqualTheRecordedSchedules() {
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode recorded : Fixtures.json("golden/adamw/schedules.json").get("schedules")) {
      String name = recorded.get("name").asString();
      if (!name.equals(NOT_OFFERED)) {
        int warmup = recorded.get("warmup_steps").asInt();
        tests.add(
            DynamicTest.dynamicTest(
                name + ", warm-up " + warmup, () -> compare(recorded, schedule(name), warmup)));
      }
    }
    assertThat(tests).as("recorded schedules").hasSizeGreaterThanOrEqualTo(8);
    return tests.stream();
  }

  private static Schedule schedule(String name) {
    return Schedule.valueOf(name.toUpperCase(Locale.ROOT));
  }

  private static void compare(JsonNode recorded, Schedule schedule, int warmup) {
    int total = recorded.get("total_steps").asInt();
    LearningRate rate =
        new LearningRate(schedule, recorded.get("peak_lr").asDouble(), warmup, total);
    List<Double> expected = new ArrayList<>();
    recorded.get("lr").forEach(value -> expected.add(value.asDouble()));
    assertThat(expected).hasSize(total);
    recorded.get("lr_after_the_end").forEach(value -> expected.add(value.asDouble()));

    for (int step = 0; step < expected.size(); step++) {
      assertThat(rate.at(step)).as("step " + step).isEqualTo(expected.get(step), within(TOLERANCE));
    }
  }
}
