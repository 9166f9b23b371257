package io.mola.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * A driver library with the functions of {@code source}, compiled at test time; without a C
 * compiler the test is skipped.
 */
record FakeDriver(String source) {
  /** A driver in which cuInit returns {@code status}. */
  static FakeDriver of(int status, int version, int devices) {
    return new FakeDriver(
        """
        int cuInit(unsigned flags) { return %d; }
        int cuDriverGetVersion(int *version) { *version = %d; return 0; }
        int cuDeviceGetCount(int *count) { *count = %d; return 0; }
        int cuDeviceGetName(char *name, int length, int device) {
          const char *text = "Fake device";
          for (int i = 0; i < length && (name[i] = text[i]); i++) {}
          return 0;
        }
        """
            .formatted(status, version, devices));
  }

  /** Path of the library, built in {@code folder}. */
  String compile(Path folder) throws IOException, InterruptedException {
    Path code = Files.writeString(folder.resolve("driver.c"), source);
    Path library = folder.resolve("libcuda.so.1");
    Path messages = folder.resolve("messages");
    Process compiler;
    try {
      compiler =
          new ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.toString(), code.toString())
              .redirectErrorStream(true)
              .redirectOutput(messages.toFile())
              .start();
    } catch (IOException none) {
      return Assumptions.abort("no C compiler: " + none.getMessage());
    }
    assertThat(compiler.waitFor()).as(Files.readString(messages)).isZero();
    return library.toString();
  }
}
