package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mola.core.backend.Backend;
import io.mola.core.backend.BackendSettings;
import io.mola.cuda.driver.CudaException;
import io.mola.cuda.driver.Precision;
import io.mola.cuda.emulation.Emulator;
import io.mola.cuda.emulation.OnEmulatedCuda;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls of CUDA made to fail, one at a time, while a training run goes on. */
@OnEmulatedCuda
class FaultInjectionTest {
  private static final SmallTraining TRAINING = new SmallTraining(1);

  /** Of which the first step leaves a checkpoint, and the second another. */
  private static final SmallTraining TWO_STEPS = new SmallTraining(2);

  private static final int INVALID_VALUE = 1; // CUDA_ERROR_INVALID_VALUE
  private static final int OUT_OF_MEMORY = 2; // CUDA_ERROR_OUT_OF_MEMORY
  private static final int LAUNCH_FAILED = 719; // CUDA_ERROR_LAUNCH_FAILED, which stays
  private static final int BLAS_INTERNAL_ERROR = 14; // CUBLAS_STATUS_INTERNAL_ERROR
  private static final int NVRTC_INTERNAL_ERROR = 11; // NVRTC_ERROR_INTERNAL_ERROR

  private static final String LOAD = "cuModuleLoadData";

  private final Emulator emulator = Emulator.instance();

  @TempDir Path emptyCache;

  @TempDir static Path folder;

  @AfterEach
  void reset() {
    emulator.reset();
  }

  @TestFactory
  Stream<DynamicNode> aFailingCallIsOneErrorAndLeavesNothing() {
    return callsOf(() -> TRAINING.on(EmulatedBackend::open)).entrySet().stream()
        .filter(called -> !called.getKey().startsWith("nvrtc"))
        .filter(called -> !called.getKey().startsWith("kernel "))
        .filter(called -> !called.getKey().equals(LOAD))
        .map(called ->
            DynamicContainer.dynamicContainer(
                called.getKey(),
                samples(called.getValue())
                    .mapToObj(n ->
                        DynamicTest.dynamicTest(
                            "call %d of %d".formatted(n, called.getValue()),
                            () -> failAt(called.getKey(), n)))));
  }

  private void failAt(String function, long n) {
    emulator.reset();
    float[] undisturbed = TRAINING.on(EmulatedBackend::open).parameters();
    int status = statusOf(function);
    emulator.failNth(function, n, status);
    AtomicReference<float[]> trained = new AtomicReference<>();

    Throwable error =
        catchThrowable(() -> trained.set(TRAINING.on(EmulatedBackend::open).parameters()));

    assertThat(emulator.clearFaults()).as("faults that struck").isEqualTo(1);
    if (error == null && status == OUT_OF_MEMORY) {
      // decoded copies of matrices were given up for the memory, and the allocation tried again
      assertThat(trained.get()).isEqualTo(undisturbed);
    } else {
      assertIsOneLineThatNames(function, error);
    }
    assertThat(emulator.liveObjects()).isEmpty();
  }

  @TestFactory
  Stream<DynamicTest> whateverFailsACheckpointIsWholeOrNotThere() {
    Path reference = folder.resolve("reference");
    Map<String, Long> calls =
        callsOf(() ->
            TWO_STEPS.on(
                EmulatedBackend::open, SmallTraining.checkpoints(reference, Optional.empty())));
    assertThat(CheckpointFolderContent.of(reference).whole())
        .containsExactly("checkpoint-1", "checkpoint-2");
    // what runs while and around a checkpoint is written: late calls of what a step queues
    return Stream.of("cuMemcpyDtoHAsync", "cuStreamSynchronize", "cuLaunchKernel", "cublasGemmEx")
        .map(name -> FaultInjectionTest.called(calls, name))
        .flatMap(called ->
            lateSamples(called.getValue())
                .mapToObj(n ->
                    DynamicTest.dynamicTest(
                        "%s, call %d of %d".formatted(called.getKey(), n, called.getValue()),
                        () -> stopAt(called.getKey(), n))));
  }

  private void stopAt(String function, long n) {
    emulator.reset();
    Path output = folder.resolve(function + n);
    emulator.failNth(function, n, statusOf(function));

    Throwable error =
        catchThrowable(() ->
            TWO_STEPS.on(
                EmulatedBackend::open, SmallTraining.checkpoints(output, Optional.empty())));

    assertThat(emulator.clearFaults()).isEqualTo(1);
    assertIsOneLineThatNames(function, error);
    assertThat(emulator.liveObjects()).isEmpty();
    CheckpointFolderContent content = CheckpointFolderContent.of(output);
    assertThat(content.others()).as("half-written files").isEmpty();
    assertThat(content.whole()).isSubsetOf("checkpoint-1", "checkpoint-2");
  }

  private static Map.Entry<String, Long> called(Map<String, Long> calls, String name) {
    return calls.entrySet().stream()
        .filter(entry -> entry.getKey().startsWith(name))
        .findFirst()
        .orElseThrow();
  }

  /** From the second half of the calls on: the first step is over and checkpoints are written. */
  private static LongStream lateSamples(long calls) {
    return LongStream.rangeClosed(0, 8).map(i -> calls - i * calls / 16);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nvrtcVersion",
        "nvrtcCreateProgram",
        "nvrtcCompileProgram",
        "nvrtcGetCUBINSize",
        "nvrtcGetCUBIN"
      })
  void aFailingCompilerIsOneErrorAndLeavesNothing(String function) {
    emulator.failNth(function, 1, NVRTC_INTERNAL_ERROR);

    Throwable error = catchThrowable(() -> TRAINING.on(this::openWithEmptyCache));

    assertIsOneLineThatNames(function, error);
    assertThat(emulator.liveObjects()).isEmpty();
  }

  @Test
  void machineCodeThatCannotBeLoadedFromTheCacheIsMadeAgain() {
    float[] undisturbed = TRAINING.on(EmulatedBackend::open).parameters();
    emulator.failNth(LOAD, 1, INVALID_VALUE);

    assertThat(TRAINING.on(EmulatedBackend::open).parameters()).isEqualTo(undisturbed);
    assertThat(emulator.clearFaults()).isEqualTo(1);
    assertThat(emulator.liveObjects()).isEmpty();
  }

  @Test
  void machineCodeThatCannotBeLoadedAtAllIsOneError() {
    emulator.failNth(LOAD, 1, INVALID_VALUE);

    Throwable error = catchThrowable(() -> TRAINING.on(this::openWithEmptyCache));

    assertIsOneLineThatNames(LOAD, error);
    assertThat(emulator.liveObjects()).isEmpty();
  }

  @TestFactory
  Stream<DynamicTest> aFailingKernelEndsTheRunWithOneError() {
    TreeSet<String> kernels = new TreeSet<>();
    callsOf(() -> TRAINING.on(EmulatedBackend::open)).keySet().stream()
        .filter(name -> name.startsWith("kernel "))
        .forEach(kernels::add);
    assertThat(kernels).hasSizeGreaterThan(15);
    return kernels.stream()
        .map(kernel ->
            DynamicTest.dynamicTest(
                kernel,
                () -> {
                  emulator.reset();
                  emulator.failNth(kernel, 1, LAUNCH_FAILED);

                  Throwable error = catchThrowable(() -> TRAINING.on(EmulatedBackend::open));

                  assertThat(emulator.clearFaults()).isEqualTo(1);
                  assertThat(error)
                      .isInstanceOf(CudaException.class)
                      .hasMessageContainingAll(
                          "CUDA_ERROR_LAUNCH_FAILED", "continue from the last checkpoint");
                  assertThat(error.getMessage().lines()).hasSize(1);
                }));
  }

  @Test
  void tooLittleMemoryIsOneErrorThatNamesNeedAndRemedy() {
    emulator.deviceMemory(256 << 10);

    Throwable error = catchThrowable(() -> TRAINING.on(EmulatedBackend::open));

    assertThat(error)
        .isInstanceOf(CudaException.class)
        .hasMessageContainingAll("needs", "MiB", "free", "--micro-batch-size");
    assertThat(emulator.liveObjects()).isEmpty();
  }

  @Test
  void anotherBackendWorksAfterAFailure() {
    float[] undisturbed = TRAINING.on(EmulatedBackend::open).parameters();
    emulator.failNth("cublasGemmEx", 5, BLAS_INTERNAL_ERROR);
    assertThat(catchThrowable(() -> TRAINING.on(EmulatedBackend::open))).isNotNull();

    assertThat(TRAINING.on(EmulatedBackend::open).parameters()).isEqualTo(undisturbed);
  }

  private Backend openWithEmptyCache(BackendSettings settings) {
    return new CudaBackend(settings, new CudaSettings(Precision.F32, emptyCache, true, false));
  }

  /** How often the action calls each function. */
  private Map<String, Long> callsOf(Runnable action) {
    Map<String, Long> before = emulator.calls();
    action.run();
    Map<String, Long> result = new TreeMap<>(emulator.calls());
    before.forEach((name, count) -> result.merge(name, -count, Long::sum));
    result.values().removeIf(count -> count == 0);
    return result;
  }

  /** The first calls, one in the middle, the last: code around them differs. */
  private static LongStream samples(long calls) {
    return LongStream.of(1, 2, 3, calls / 2, calls - 1, calls)
        .filter(n -> n >= 1 && n <= calls)
        .distinct();
  }

  private static int statusOf(String function) {
    if (function.startsWith("cublas")) {
      return BLAS_INTERNAL_ERROR;
    }
    return function.startsWith("cuMemAlloc") || function.startsWith("cuMemHostAlloc")
        ? OUT_OF_MEMORY
        : INVALID_VALUE;
  }

  private static void assertIsOneLineThatNames(String function, Throwable error) {
    assertThat(error).as("error of " + function).isInstanceOf(CudaException.class);
    String name = function.replaceFirst("_v\\d+$", "");
    assertThat(error.getMessage())
        .satisfiesAnyOf(
            message -> assertThat(message).contains(name),
            message -> assertThat(message).contains("MiB free"));
    assertThat(error.getMessage().lines()).hasSize(1);
    assertThat(error.getSuppressed()).as("errors while closing").isEmpty();
  }
}
