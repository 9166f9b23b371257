package io.mola.cuda.emulation;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The emulated device of this process: how it behaves, what lives on it, and faults on demand. */
@SuppressWarnings("restricted") // loads libraries and calls them: that is its purpose
public final class Emulator {
  /** Bytes of device memory unless a test asks for others. */
  public static final long USUAL_MEMORY = 8L << 30;

  /** Every function of the API, for {@link #failNth}. */
  public static final String ANY_FUNCTION = "*";

  private static final int TEXT_BYTES = 1 << 16;

  private static final class Loaded {
    static final Emulator EMULATOR =
        new Emulator(EmulationLibraries.ofThisMachine().folder().orElseThrow());
  }

  private final SymbolLookup driver;

  private Emulator(Path folder) {
    // Loaded by path before anything asks for them by name: the loader then finds them by name,
    // too.
    for (String name :
        List.of(
            "libcuda.so.1",
            "libcudart.so.13",
            "libnvrtc.so.13",
            "libcublasLt.so.13",
            "libcublas.so.13")) {
      System.load(folder.resolve(name).toString());
    }
    driver = SymbolLookup.libraryLookup(folder.resolve("libcuda.so.1"), Arena.global());
  }

  /** The emulator, loaded at the first call. */
  public static Emulator instance() {
    return Loaded.EMULATOR;
  }

  /** Runs threads and blocks forward (0), in reverse (1) or shuffled by another seed. */
  public void order(int order) {
    call("emu_set_order", order);
  }

  /** Whether allocations made from now on end at a page that faults, and begin as NaN. */
  public void guardPages(boolean on) {
    call("emu_set_guard", on ? 1 : 0);
  }

  /** Whether queued work waits until something waits for it. */
  public void runsLate(boolean late) {
    call("emu_set_late", late ? 1 : 0);
  }

  /** Bytes of device memory. */
  public void deviceMemory(long bytes) {
    invoke(handle("emu_set_memory", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG)), bytes);
  }

  /**
   * The nth call from now on of a function returns an error status and does nothing else, except
   * that functions which free something free it. "kernel NAME" stands for a run of a kernel, whose
   * error stays as a device's does.
   */
  public void failNth(String function, long n, int status) {
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle add =
          handle(
              "emu_fault",
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_INT));
      int refused = (int) invoke(add, arena.allocateFrom(function), n, status, 0);
      if (refused != 0) {
        throw new IllegalArgumentException(function + " " + n + " " + status);
      }
    }
  }

  /** Forgets all faults; how many of them have struck. */
  public int clearFaults() {
    return (int) invoke(handle("emu_clear_faults", FunctionDescriptor.of(ValueLayout.JAVA_INT)));
  }

  /** Destroys all that lives on the device and clears its error, after a test that broke it. */
  public void reset() {
    invoke(handle("emu_reset", FunctionDescriptor.ofVoid()));
  }

  /** What lives on the device now: kind to number, without zeros. */
  public Map<String, Long> liveObjects() {
    return lines("emu_live_objects");
  }

  /** How often each function was called so far. */
  public Map<String, Long> calls() {
    return lines("emu_all_calls");
  }

  private Map<String, Long> lines(String function) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(TEXT_BYTES);
      invoke(
          handle(
              function,
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT)),
          text,
          TEXT_BYTES);
      Map<String, Long> result = new TreeMap<>();
      text.getString(0)
          .lines()
          .forEach(line -> {
            int space = line.lastIndexOf(' ');
            result.put(line.substring(0, space), Long.valueOf(line.substring(space + 1)));
          });
      return result;
    }
  }

  private void call(String function, int value) {
    invoke(handle(function, FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT)), value);
  }

  private MethodHandle handle(String function, FunctionDescriptor signature) {
    return Linker.nativeLinker().downcallHandle(driver.findOrThrow(function), signature);
  }

  private static Object invoke(MethodHandle handle, Object... arguments) {
    try {
      return handle.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new IllegalStateException("a call of the emulator failed", e);
    }
  }
}
