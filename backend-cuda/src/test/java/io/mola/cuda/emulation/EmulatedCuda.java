package io.mola.cuda.emulation;

import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Extension for tests of the backend on CUDA libraries that compute on the CPU. They are built from
 * {@code src/test/native} when their sources changed, and loaded into this process before anything
 * asks for libcuda. Where they cannot be built the tests are skipped with the reason; in continuous
 * integration ({@code CI=true}) they fail.
 */
public final class EmulatedCuda implements BeforeAllCallback, BeforeEachCallback {
  /** Order of threads and blocks, for a test run: 0 forward, 1 reverse, else a seed. */
  private static final int ORDER = Integer.getInteger("mola.cuda.emulation.order", 0);

  @Override
  public void beforeAll(ExtensionContext context) {
    EmulationLibraries libraries = EmulationLibraries.ofThisMachine();
    if (libraries.folder().isEmpty()) {
      if ("true".equals(System.getenv("CI"))) {
        Assertions.fail(libraries.reason());
      }
      Assumptions.abort(libraries.reason());
    }
    prepare(Emulator.instance());
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    prepare(Emulator.instance());
  }

  private static void prepare(Emulator emulator) {
    emulator.clearFaults();
    emulator.order(ORDER);
    emulator.guardPages(true);
    emulator.runsLate(true);
    emulator.deviceMemory(Emulator.USUAL_MEMORY);
  }
}
