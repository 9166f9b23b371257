package io.mola.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * The few calls of the CUDA driver API that tell whether it can be used, by foreign calls. All of
 * them exist in every driver since CUDA 2; a library without them is a stub for linking.
 */
@SuppressWarnings("restricted") // foreign calls are its purpose
final class CudaDriver {
  private static final FunctionDescriptor INT_OF_INT =
      FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
  private static final FunctionDescriptor INT_OF_POINTER =
      FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS);
  private static final FunctionDescriptor INT_OF_TEXT =
      FunctionDescriptor.of(
          ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
  private static final int NAME_BYTES = 256;

  private final MethodHandle init;
  private final MethodHandle deviceCount;
  private final MethodHandle version;
  private final MethodHandle deviceName;

  private CudaDriver(
      MethodHandle init, MethodHandle deviceCount, MethodHandle version, MethodHandle deviceName) {
    this.init = init;
    this.deviceCount = deviceCount;
    this.version = version;
    this.deviceName = deviceName;
  }

  /** The driver in {@code library}; empty if it lacks a function, that is, if it is a stub. */
  static Optional<CudaDriver> in(SymbolLookup library) {
    Optional<MemorySegment> init = library.find("cuInit");
    Optional<MemorySegment> deviceCount = library.find("cuDeviceGetCount");
    Optional<MemorySegment> version = library.find("cuDriverGetVersion");
    Optional<MemorySegment> deviceName = library.find("cuDeviceGetName");
    if (init.isEmpty() || deviceCount.isEmpty() || version.isEmpty() || deviceName.isEmpty()) {
      return Optional.empty();
    }
    Linker linker = Linker.nativeLinker();
    return Optional.of(
        new CudaDriver(
            linker.downcallHandle(init.get(), INT_OF_INT),
            linker.downcallHandle(deviceCount.get(), INT_OF_POINTER),
            linker.downcallHandle(version.get(), INT_OF_POINTER),
            linker.downcallHandle(deviceName.get(), INT_OF_TEXT)));
  }

  /** cuInit(0): the status, 0 if the driver works. */
  int initialise() {
    try {
      return (int) init.invokeExact(0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Number of devices that this process may use. */
  int deviceCount() {
    return query(deviceCount);
  }

  /** Newest CUDA version that the driver runs: 1000 major + 10 minor. */
  int version() {
    return query(version);
  }

  /** Name of the first device. */
  String deviceName() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(NAME_BYTES);
      int status = (int) deviceName.invokeExact(text, NAME_BYTES, 0);
      return status == 0 ? text.getString(0) : "a device without a name";
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** What the function writes to its argument; 0 if it returns an error. */
  private static int query(MethodHandle function) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ValueLayout.JAVA_INT);
      int status = (int) function.invokeExact(result);
      return status == 0 ? result.get(ValueLayout.JAVA_INT, 0) : 0;
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** A downcall throws nothing of its own, but its handle declares that it might. */
  private static IllegalStateException unexpected(Throwable e) {
    return new IllegalStateException("a call of the CUDA driver failed", e);
  }
}
