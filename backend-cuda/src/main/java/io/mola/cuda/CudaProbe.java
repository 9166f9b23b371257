package io.mola.cuda;

import io.mola.core.backend.BackendProvider.Availability;
import io.mola.core.backend.BackendProvider.Availability.Unusable;
import io.mola.core.backend.BackendProvider.Availability.Usable;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Looks for a CUDA driver, a device and the libraries, by foreign calls alone: nothing is unpacked
 * and no bytedeco class is touched, since their initialisers fail for good where libcuda is
 * missing. Nothing stays behind but the driver itself, which must not be unloaded once it was
 * initialised.
 */
final class CudaProbe {
  private static final String DRIVER = "libcuda.so.1";
  private static final List<String> LIBRARIES =
      List.of("libcublas.so.13", "libnvrtc.so.13", "libcudart.so.13");

  /** CUDA 13.0, which comes with driver 580; written as the driver writes it. */
  private static final int NEEDED_VERSION = 13_000;

  /** Above the CPU's 10. */
  private static final int PRIORITY = 100;

  private static final int NO_DEVICE = 100; // CUDA_ERROR_NO_DEVICE
  private static final int DRIVER_MISMATCH = 803; // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH

  private static final String USE_SIMD = "use --backend simd";
  private static final String INSTALL_DRIVER =
      "install an NVIDIA driver 580 or newer, or " + USE_SIMD;
  private static final String CHECK_DEVICES =
      "check nvidia-smi and CUDA_VISIBLE_DEVICES, or " + USE_SIMD;
  private static final String INSTALL_LIBRARIES =
      "install the CUDA 13 toolkit or put the library's folder in LD_LIBRARY_PATH, or " + USE_SIMD;

  private final String driver;
  private final List<String> libraries;
  private final List<Path> folders;

  private CudaProbe(String driver, List<String> libraries, List<Path> folders) {
    this.driver = driver;
    this.libraries = libraries;
    this.folders = folders;
  }

  static CudaProbe ofThisMachine() {
    return new CudaProbe(DRIVER, LIBRARIES, libraryFolders());
  }

  /** A probe of another driver library, for tests. */
  static CudaProbe ofDriver(String driver) {
    return new CudaProbe(driver, LIBRARIES, List.of());
  }

  /** A probe of another driver library and of libraries in a folder, for tests. */
  static CudaProbe ofDriver(String driver, List<String> libraries, Path folder) {
    return new CudaProbe(driver, libraries, List.of(folder));
  }

  /** Never throws: whatever goes wrong is a reason not to use CUDA. */
  Availability run() {
    if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")) {
      return new Unusable("CUDA is supported on Linux only", USE_SIMD);
    }
    try {
      return load(driver, Arena.global())
          .map(this::examine)
          .orElseGet(() -> new Unusable(driver + " was not found", INSTALL_DRIVER));
    } catch (IllegalCallerException denied) {
      return new Unusable(
          "native access is denied to module io.mola.cuda",
          "start Java with --enable-native-access=io.mola.cuda, or " + USE_SIMD);
    } catch (RuntimeException | LinkageError e) {
      return new Unusable("probing " + driver + " failed: " + e, INSTALL_DRIVER);
    }
  }

  private Availability examine(SymbolLookup library) {
    Optional<CudaDriver> found = CudaDriver.in(library);
    if (found.isEmpty()) {
      return new Unusable(
          driver + " has no cuInit, so it is a stub and not a driver", INSTALL_DRIVER);
    }
    CudaDriver cuda = found.get();
    int status = cuda.initialise();
    if (status != 0) {
      return new Unusable(
          "cuInit of " + driver + " failed with error " + status + meaning(status),
          status == DRIVER_MISMATCH
              ? "restart the machine after the driver's update, or " + USE_SIMD
              : CHECK_DEVICES);
    }
    if (cuda.version() < NEEDED_VERSION) {
      return new Unusable(
          "the driver runs CUDA up to " + versionText(cuda.version()) + " and 13.0 is needed",
          INSTALL_DRIVER);
    }
    int devices = cuda.deviceCount();
    if (devices == 0) {
      return new Unusable(driver + " sees no CUDA device", CHECK_DEVICES);
    }
    return libraries.stream()
        .filter(name -> !isPresent(name))
        .findFirst()
        .<Availability>map(name -> new Unusable(name + " was not found", INSTALL_LIBRARIES))
        .orElseGet(() -> usable(cuda, devices));
  }

  private static Availability usable(CudaDriver cuda, int devices) {
    return new Usable(
        PRIORITY,
        "%s, driver for CUDA %s%s"
            .formatted(
                cuda.deviceName(),
                versionText(cuda.version()),
                devices == 1 ? "" : ", the first of " + devices + " devices"));
  }

  /** By file first: loading these libraries costs more than looking for them. */
  private boolean isPresent(String name) {
    if (folders.stream().anyMatch(folder -> Files.exists(folder.resolve(name)))) {
      return true;
    }
    try (Arena arena = Arena.ofConfined()) {
      return load(name, arena).isPresent();
    }
  }

  @SuppressWarnings("restricted") // loading a library is the question
  private static Optional<SymbolLookup> load(String name, Arena lifetime) {
    try {
      return Optional.of(SymbolLookup.libraryLookup(name, lifetime));
    } catch (IllegalArgumentException missing) {
      return Optional.empty(); // how libraryLookup says that there is no such library
    }
  }

  /** Where JavaCPP looks for CUDA's libraries besides the loader's own paths. */
  private static List<Path> libraryFolders() {
    String given = System.getProperty("org.bytedeco.javacpp.platform.linkpath", "");
    return Stream.concat(
            Arrays.stream(given.split(File.pathSeparator, -1)).filter(folder -> !folder.isEmpty()),
            Stream.of("/usr/local/cuda-13.1/lib64", "/usr/local/cuda/lib64", "/usr/lib64"))
        .map(Path::of)
        .toList();
  }

  private static String meaning(int status) {
    return switch (status) {
      case NO_DEVICE -> " (no device)";
      case DRIVER_MISMATCH -> " (kernel module and library are of different versions)";
      default -> "";
    };
  }

  private static String versionText(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }
}
