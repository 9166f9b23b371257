package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.mola.core.backend.DevicePlacement;
import io.mola.core.backend.FrozenUse;
import io.mola.core.quant.QuantType;
import io.mola.core.tensor.MemoryPlan;
import io.mola.cuda.driver.Element;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where frozen weights lie when a device has more, less, or too little memory for a run. */
class CudaDeviceMemoryTest {
  private static final long MIB = 1 << 20;

  /** 16 matrices of 1 Mi elements: 2 MiB decoded as bfloat16, 0.5625 MiB as in the file. */
  private static final int MATRICES = 16;

  private static final long ENCODED = MIB / 32 * 18;
  private static final List<FrozenUse> WEIGHTS =
      Collections.nCopies(MATRICES, new FrozenUse(QuantType.Q4_0, 1024, 1024, 3));

  /** 1 Mi activations of 2 bytes. */
  private static final MemoryPlan SLOTS =
      new MemoryPlan.Builder().activation("a", 1024, 1024).build();

  private static final long WORKSPACE = 3 * MIB;

  private static DevicePlacement placed(long deviceBytes) {
    return new CudaDeviceMemory("a device", deviceBytes, deviceBytes, Element.BF16)
        .place(SLOTS, WORKSPACE, WEIGHTS);
  }

  @Test
  void withRoomEnoughAllAreDecoded() {
    DevicePlacement placement = placed(256 * MIB);

    assertThat(placement.frozen()).isEqualTo(new DevicePlacement.Frozen(32 * MIB, 32 * MIB, 0, 0));
    assertThat(placement.plannedBytes()).isEqualTo((32 + 2 + 3 + 4) * MIB);
    assertThat(placement.streaming().bytesPerMicroBatch()).isZero();
    assertThat(placement.fits()).isTrue();
  }

  @Test
  void decodedOnesLeaveHalfOfTheDeviceFree() {
    DevicePlacement placement = placed(32 * MIB);

    // seven take 14 MiB; with another the free half would be touched
    assertThat(placement.frozen().decodedBytes()).isEqualTo(14 * MIB);
    assertThat(placement.frozen().encodedBytes()).isEqualTo(9 * ENCODED);
    assertThat(placement.frozen().streamedBytes()).isZero();
  }

  @Test
  void whereThePlanNeedsTheRoomTheyShrinkBeforeAnyStreams() {
    long rest = 2 * MIB + WORKSPACE;
    long device = (rest + MATRICES * ENCODED) * 64 / 63 + MIB;

    DevicePlacement placement = placed(device);

    assertThat(placement.frozen().streamedBytes()).isZero();
    assertThat(placement.frozen().decodedBytes()).isZero();
    assertThat(placement.fits()).isTrue();
  }

  @Test
  void whatHasNoPlaceStreamsThroughTwoBuffersAtEachUse() {
    long rest = 2 * MIB + WORKSPACE;
    long device = (rest + 10 * ENCODED) * 64 / 63 + MIB / 4;

    DevicePlacement placement = placed(device);

    // ten matrices have room: eight and the two buffers
    assertThat(placement.frozen().streamedBytes()).isEqualTo(8 * ENCODED);
    assertThat(placement.frozen().encodedBytes()).isEqualTo(8 * ENCODED);
    assertThat(placement.streaming().bufferBytes()).isEqualTo(2 * ENCODED);
    assertThat(placement.streaming().bytesPerMicroBatch()).isEqualTo(3 * 8 * ENCODED);
    assertThat(placement.streaming().bytesPerStep(4)).isEqualTo(4 * 3 * 8 * ENCODED);
    assertThat(placement.streaming().secondsPerStep(4))
        .isEqualTo(4 * 3 * 8 * ENCODED / CudaDeviceMemory.BYTES_PER_SECOND);
    assertThat(placement.fits()).isTrue();
  }

  @Test
  void whatDoesNotFitEvenStreamedSaysHowMuchWouldDo() {
    DevicePlacement placement = placed(5 * MIB);

    assertThat(placement.fits()).isFalse();
    assertThat(placement.frozen().streamedBytes()).isEqualTo(MATRICES * ENCODED);
    assertThat(placement.plannedBytes())
        .isEqualTo(2 * MIB + WORKSPACE + 2 * ENCODED + 5 * MIB / 64);
  }
}
