package io.mola.perf.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ArgumentsTest {
  @Test
  void namesHaveValuesAndQuickHasNone() {
    Arguments arguments =
        Arguments.parse(new String[] {"--quick", "--rounds", "5"}, "quick", "rounds", "threads");
    assertThat(arguments.has("quick")).isTrue();
    assertThat(arguments.number("rounds", 3)).isEqualTo(5);
    assertThat(arguments.number("threads", 2)).isEqualTo(2);
  }

  @Test
  void anUnknownNameIsRefusedWithTheKnownOnes() {
    assertThatThrownBy(() -> Arguments.parse(new String[] {"--runs", "5"}, "rounds", "threads"))
        .hasMessage("--runs is none of --rounds, --threads");
  }

  @Test
  void aMissingValueIsRefused() {
    assertThatThrownBy(() -> Arguments.parse(new String[] {"--rounds"}, "rounds"))
        .hasMessage("no value after --rounds");
  }
}
