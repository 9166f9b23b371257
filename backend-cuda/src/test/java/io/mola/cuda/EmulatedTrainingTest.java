package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mola.core.train.FineTuneResult;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@OnEmulatedCuda
class EmulatedTrainingTest {
  private static final SmallTraining TRAINING = new SmallTraining(20);

  @Test
  void lossesInFloat32AreThoseOfTheReference() {
    FineTuneResult expected = TRAINING.onReference();

    FineTuneResult actual = run(Precision.F32);

    // Both sum in another order; twenty updates keep relative differences of single roundings
    // small.
    for (int s = 0; s < expected.steps().size(); s++) {
      double loss = expected.steps().get(s).loss();
      assertThat(actual.steps().get(s).loss())
          .as("step %d", s)
          .isCloseTo(loss, within(1e-5 * loss));
      double norm = expected.steps().get(s).gradientNorm();
      assertThat(actual.steps().get(s).gradientNorm())
          .as("norm of step %d", s)
          .isCloseTo(norm, within(1e-4 * norm));
    }
  }

  @Test
  void lossesInBfloat16FollowTheReference() {
    FineTuneResult expected = TRAINING.onReference();

    FineTuneResult actual = run(Precision.BF16);

    // bfloat16 keeps 8 bits of each activation, about 0.4 %; a loss is a mean over many of them.
    for (int s = 0; s < expected.steps().size(); s++) {
      double loss = expected.steps().get(s).loss();
      assertThat(actual.steps().get(s).loss())
          .as("step %d", s)
          .isCloseTo(loss, within(0.02 * loss));
    }
  }

  @ParameterizedTest(name = "order {0}")
  @ValueSource(ints = {0, 1, 5, 20261127})
  void anyOrderOfThreadsGivesTheSameBytes(int order) {
    float[] forward = run(Precision.BF16).parameters();

    Emulator.instance().order(order);
    assertThat(run(Precision.BF16).parameters()).isEqualTo(forward);
  }

  @Test
  void workThatRunsAtOnceOrLateGivesTheSameBytes() {
    float[] late = run(Precision.BF16).parameters();

    Emulator.instance().runsLate(false);
    assertThat(run(Precision.BF16).parameters()).isEqualTo(late);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Precision.class)
  void nothingIsLeftOnTheDevice(Precision precision) {
    run(precision);

    assertThat(Emulator.instance().liveObjects()).isEmpty();
  }

  private static FineTuneResult run(Precision precision) {
    return TRAINING.on(settings -> EmulatedBackend.open(settings, precision));
  }
}
