package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.backend.BackendSettings;
import io.mola.core.backend.Region;
import io.mola.core.tensor.MemoryPlan;
import io.mola.core.tensor.Tensor;
import io.mola.core.train.Checkpoint;
import io.mola.core.train.Continuity;
import io.mola.cuda.driver.CudaException;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An error that a device does not recover from is one clear message, and the process goes on. */
@OnEmulatedCuda
class LostDeviceTest {
  private static final int ILLEGAL_ADDRESS = 700;

  @AfterEach
  void repair() {
    Emulator.instance().reset();
  }

  @Test
  void everyLaterCallRepeatsWhatHappenedAndClosingSucceeds() {
    MemoryPlan plan = new MemoryPlan.Builder().activation("x", 2, 3).build();
    CudaBackend backend = EmulatedBackend.open(new BackendSettings(1, 0), Precision.F32, true);
    Region region = backend.memory().allocate(plan);
    Tensor x = region.tensor("x");
    Emulator.instance().failNth("kernel swiglu_forward", 1, ILLEGAL_ADDRESS);
    backend.activation().swigluForward(x, x, x);

    assertThatThrownBy(() -> backend.memory().download(x, new float[6]))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS")
        .hasMessageContaining("continue from the last checkpoint")
        .hasMessageContaining("mola.cuda.synchronous");
    assertThatThrownBy(() -> backend.activation().zero(x))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
    region.close();
    backend.close();
  }

  @Test
  void theCheckpointWrittenBeforeIsWholeAndTheRunGoesOnFromIt(@TempDir Path output) {
    SmallTraining training = new SmallTraining(4);
    float[] undisturbed = training.on(EmulatedBackend::open).parameters();
    Emulator.instance().failNth("kernel adamw", 3, ILLEGAL_ADDRESS);

    assertThatThrownBy(() ->
            training.on(EmulatedBackend::open, SmallTraining.checkpoints(output, Optional.empty())))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("continue from the last checkpoint");
    assertThat(output).isDirectoryContaining("glob:**/checkpoint-2");
    assertThat(output.resolve("checkpoint-3")).doesNotExist();

    Emulator.instance().reset(); // what another process would find
    Checkpoint last = Checkpoint.latest(output);
    assertThat(last.step()).isEqualTo(2);
    Continuity onwards = SmallTraining.checkpoints(output, Optional.of(last));
    assertThat(training.on(EmulatedBackend::open, onwards).parameters()).isEqualTo(undisturbed);
  }

  @Test
  void runSynchronouslyTheKernelIsNamed() {
    MemoryPlan plan = new MemoryPlan.Builder().activation("x", 2, 3).build();
    CudaSettings settings =
        new CudaSettings(Precision.F32, CudaSettings.ofThisProcess().kernelCache(), true, true);
    CudaBackend backend = new CudaBackend(new BackendSettings(1, 0), settings);
    Tensor x = backend.memory().allocate(plan).tensor("x");
    Emulator.instance().failNth("kernel swiglu_forward", 1, ILLEGAL_ADDRESS);

    assertThatThrownBy(() -> backend.activation().swigluForward(x, x, x))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("activation.swigluForward of gate [2, 3] F32")
        .hasMessageContaining("sm_90");
    backend.close();
    assertThat(Emulator.instance().calls()).containsKey("cuLaunchKernel");
  }
}
