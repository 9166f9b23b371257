package io.mola.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.cli.settings.Given;
import io.mola.cli.settings.Settings;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainingSettingsTest {
  @Test
  void maxStepsAloneIsTheNumberOfSteps() {
    assertThat(of("max_steps=50").steps(4)).isEqualTo(50);
    assertThat(of("max_steps=2").steps(4)).isEqualTo(2);
  }

  @Test
  void maxStepsBesideEpochsIsABound() {
    assertThat(of("max_steps=50", "num_epochs=2").steps(4)).isEqualTo(8);
    assertThat(of("max_steps=3", "num_epochs=2").steps(4)).isEqualTo(3);
  }

  @Test
  void withoutBothTheExamplesAreSeenThreeTimes() {
    assertThat(of().steps(4)).isEqualTo(12);
  }

  private static TrainingSettings of(String... givens) {
    List<Given> list =
        Arrays.stream(givens)
            .map(given -> given.split("="))
            .map(pair -> new Given(pair[0], pair[1], pair[0]))
            .toList();
    return TrainingSettings.of(new Settings(list, List.of()));
  }
}
