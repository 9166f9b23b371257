package io.mola.core.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.train.OptimizerConfig.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class LearningRateTest {
  @ParameterizedTest
  @EnumSource(names = "CONSTANT", mode = Mode.EXCLUDE)
  void warmUpRisesFromZeroToThePeak(Schedule schedule) {
    LearningRate rate = new LearningRate(schedule, 0.5, 4, 10);

    assertThat(rate.at(0)).isZero();
    assertThat(rate.at(2)).isEqualTo(0.25);
    assertThat(rate.at(4)).isEqualTo(0.5);
  }

  @ParameterizedTest
  @EnumSource
  void withoutWarmUpTheFirstRateIsThePeak(Schedule schedule) {
    assertThat(new LearningRate(schedule, 0.5, 0, 10).at(0)).isEqualTo(0.5);
  }

  @Test
  void constantIgnoresTheWarmUp() {
    assertThat(new LearningRate(Schedule.CONSTANT, 0.5, 4, 10).at(0)).isEqualTo(0.5);
  }

  @ParameterizedTest
  @EnumSource
  void aRunThatIsAllWarmUpHasFiniteRates(Schedule schedule) {
    LearningRate rate = new LearningRate(schedule, 0.5, 10, 10);

    for (int step = 0; step < 12; step++) {
      assertThat(rate.at(step)).isBetween(0.0, 0.5);
    }
  }

  @Test
  void aRateThatIsNotANumberIsRefused() {
    assertThatThrownBy(() -> new LearningRate(Schedule.LINEAR, Double.NaN, 0, 10))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("NaN");
  }
}
