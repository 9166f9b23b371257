package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.failure.UsageException;
import io.mola.core.train.Continuity;
import io.mola.core.train.FineTuneResult;
import io.mola.core.train.FineTuning;
import io.mola.core.train.FootprintPlan;
import io.mola.core.train.TrainingListener;
import io.mola.cuda.driver.Products;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the plan says of a device's memory is what the run does. */
@OnEmulatedCuda
class PlannedStreamingTest {
  private static final SmallTraining TRAINING = SmallTraining.ofLargerMatrices(3);
  private static final long KIB = 1 << 10;
  private static final int MICRO_BATCHES = 2;

  private final Emulator emulator = Emulator.instance();

  @AfterEach
  void reset() {
    emulator.deviceMemory(Emulator.USUAL_MEMORY);
  }

  @Test
  void bytesThatStreamAreThosePlannedAndTheResultIsTheSame() {
    FineTuneResult roomy = TRAINING.on(EmulatedBackend::open);
    DevicePlacement all = roomy.plan().device().orElseThrow();
    assertThat(all.frozen().streamedBytes()).isZero();
    assertThat(count(roomy, "streamed_bytes")).isZero();
    assertThat(count(roomy, "most_device_bytes")).isLessThan(all.plannedBytes());
    // too little, so that matrices of 512 KiB leave half of one unused: what the emulator gives
    // beyond the plan makes no room for another
    long device = all.plannedBytes() - all.reserveBytes() - (4 << 20) - 240 * KIB;
    emulator.deviceMemory(device * 64 / 63);
    FineTuning tuning = TRAINING.prepare(EmulatedBackend::open);
    FootprintPlan plan = tuning.plan();
    DevicePlacement placement = plan.device().orElseThrow();
    assertThat(placement.frozen().streamedBytes()).isGreaterThan(3 << 20);

    // The plan has a reserve for a driver, and workspace for matrices of any size.
    long spare =
        placement.reserveBytes()
            + placement.workspaceBytes()
            - Products.WORKSPACE_BYTES
            - count(roomy, "workspace_bytes");
    emulator.deviceMemory(device * 64 / 63 - spare + 96 * KIB);
    FineTuneResult tight = tuning.run(plan, Continuity.NONE, new TrainingListener() {});

    assertThat(tight.parameters()).isEqualTo(roomy.parameters());
    assertThat(count(tight, "streamed_weights_bytes"))
        .as("%d bytes left", placement.freeBytes() - placement.plannedBytes())
        .isEqualTo(placement.frozen().streamedBytes());
    long steps = TRAINING.steps() * placement.streaming().bytesPerStep(MICRO_BATCHES);
    // beside the steps there are two evaluations, forward only, and wrong guesses of what comes
    // next
    assertThat(count(tight, "streamed_bytes")).isBetween(steps * 8 / 10, steps * 15 / 10);
  }

  @Test
  void aRunThatDoesNotFitEvenStreamedIsRefusedBeforeAnythingIsAllocated() {
    emulator.deviceMemory(64 << 20);
    FineTuning tuning = TRAINING.prepare(EmulatedBackend::open);

    assertThatThrownBy(tuning::plan)
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll(
            "CUDA emulator", "has 63 MiB free and this run needs at least", "--micro-batch-size");
    assertThat(emulator.liveObjects()).isEmpty();
  }

  private static long count(FineTuneResult result, String name) {
    return result.backendCounts().getOrDefault(name, -1L);
  }
}
