package io.mola.cuda.driver;

import static org.bytedeco.cuda.global.nvrtc.nvrtcCompileProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCreateProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcDestroyProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBIN;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBINSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetErrorString;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLog;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLogSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcVersion;

import java.util.List;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * NVRTC: CUDA C to machine code of one architecture. Machine code and not PTX, since PTX of a
 * compiler newer than the driver is refused.
 */
final class Compiler {
  private static final int COMPILATION = 6; // NVRTC_ERROR_COMPILATION
  private static final String LINE_BREAKS = "\\s*\\R\\s*";

  private Compiler() {}

  /** Major and minor version, for example {@code 13.0}. */
  static String version() {
    int[] major = new int[1];
    int[] minor = new int[1];
    check(nvrtcVersion(major, minor), "nvrtcVersion", "");
    return major[0] + "." + minor[0];
  }

  /**
   * Compiles a source without headers.
   *
   * @param name of the source, for messages
   * @param architecture for example {@code sm_90}
   */
  static byte[] cubin(String name, String source, String architecture) {
    _nvrtcProgram program = new _nvrtcProgram();
    List<String> options =
        List.of("--gpu-architecture=" + architecture, "--std=c++17", "--generate-line-info");
    try (BytePointer text = new BytePointer(source);
        BytePointer title = new BytePointer(name + ".cu");
        PointerPointer<BytePointer> arguments =
            new PointerPointer<>(options.toArray(new String[0]))) {
      check(
          nvrtcCreateProgram(program, text, title, 0, (PointerPointer<?>) null, null),
          "nvrtcCreateProgram",
          name);
      try {
        int status = nvrtcCompileProgram(program, options.size(), arguments);
        if (status != COMPILATION) {
          check(status, "nvrtcCompileProgram", name);
        } else {
          throw new CudaException(
              "kernels %s do not compile for %s with NVRTC %s: %s"
                  .formatted(
                      name, architecture, version(), log(program).replaceAll(LINE_BREAKS, " | ")));
        }
        return image(program, name);
      } finally {
        nvrtcDestroyProgram(program);
      }
    }
  }

  private static byte[] image(_nvrtcProgram program, String name) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize", name);
      byte[] image = new byte[Math.toIntExact(size.get())];
      check(nvrtcGetCUBIN(program, image), "nvrtcGetCUBIN", name);
      return image;
    }
  }

  private static String log(_nvrtcProgram program) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtcGetProgramLogSize(program, size), "nvrtcGetProgramLogSize", "");
      try (BytePointer text = new BytePointer(Math.max(1, size.get()))) {
        check(nvrtcGetProgramLog(program, text), "nvrtcGetProgramLog", "");
        return text.getString().strip();
      }
    }
  }

  private static void check(int status, String call, String name) {
    if (status != 0) {
      throw new CudaException(
          "compiling kernels %s failed: %s returned %s; check the installation of libnvrtc.so.13"
              .formatted(name, call, nvrtcGetErrorString(status).getString()));
    }
  }
}
