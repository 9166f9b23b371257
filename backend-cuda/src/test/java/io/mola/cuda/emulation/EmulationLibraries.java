package io.mola.cuda.emulation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * CUDA libraries that compute on the CPU, in a folder; built if necessary.
 *
 * @param folder where they are; empty if this machine cannot build them
 * @param reason why it cannot
 */
public record EmulationLibraries(Optional<Path> folder, String reason) {
  private static final int MINUTES = 5;

  private static final class Built {
    static final EmulationLibraries LIBRARIES = build();
  }

  /** The libraries of this machine, built once per process at most. */
  public static EmulationLibraries ofThisMachine() {
    return Built.LIBRARIES;
  }

  private static EmulationLibraries build() {
    Path module = Path.of(System.getProperty("basedir", ".")).toAbsolutePath();
    Path script = module.resolve("src/test/native/build.sh");
    try {
      Path messages = Files.createTempFile("emulation", ".log");
      Process build =
          new ProcessBuilder("sh", script.toString(), module.resolve("target/emulation").toString())
              .redirectError(messages.toFile())
              .start();
      String folder = new String(build.getInputStream().readAllBytes()).strip();
      if (!build.waitFor(MINUTES, TimeUnit.MINUTES)) {
        build.destroyForcibly();
        throw new IllegalStateException(script + " takes more than " + MINUTES + " minutes");
      }
      String said = Files.readString(messages).strip();
      Files.delete(messages);
      if (!folder.isEmpty()) {
        return new EmulationLibraries(Optional.of(Path.of(folder)), "");
      }
      if (build.exitValue() != 0 && !"true".equals(System.getenv("CI"))) {
        throw new IllegalStateException(script + " failed: " + said);
      }
      return new EmulationLibraries(Optional.empty(), said);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while " + script + " ran", e);
    }
  }
}
