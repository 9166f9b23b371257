package io.mola.core.safetensors;

import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Writes a file as a whole or not at all: to a temporary file beside it, forced to the disk, then
 * renamed over the target. A killed program leaves the old file, or none.
 */
public final class AtomicFile {
  private static final int BUFFER = 1 << 16;

  private AtomicFile() {}

  /** Writes the content. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything to {@code out}, which the caller closes. */
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes {@code target}.
   *
   * @throws UsageException if the folder cannot be written to
   * @throws MolaException if writing fails, for example because the disk is full; nothing is left
   */
  public static void write(Path target, Content content) {
    Path folder = target.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new UsageException(target + ": the folder does not exist");
    }
    if (!Files.isWritable(folder)) {
      throw new UsageException(folder + ": cannot be written to; choose another folder");
    }
    Path temporary = folder.resolve("." + target.getFileName() + ".part");
    try {
      try (FileChannel channel =
              FileChannel.open(
                  temporary,
                  StandardOpenOption.CREATE,
                  StandardOpenOption.TRUNCATE_EXISTING,
                  StandardOpenOption.WRITE);
          OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER)) {
        content.writeTo(out);
        out.flush();
        channel.force(true);
      }
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      forceFolder(folder);
    } catch (AccessDeniedException e) {
      remove(temporary, e);
      throw new UsageException(target + ": cannot be written to; permission denied", e);
    } catch (IOException e) {
      remove(temporary, e);
      throw new MolaException(
          target
              + ": cannot be written: "
              + reason(e)
              + "; nothing was changed, free some space or choose another folder",
          e);
    } catch (RuntimeException | Error e) {
      remove(temporary, e);
      throw e;
    }
  }

  /**
   * Gives a file in the same folder its final name, durably.
   *
   * @throws MolaException if the system refuses; nothing was changed
   */
  public static void rename(Path from, Path to) {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      forceFolder(to.toAbsolutePath().getParent());
    } catch (IOException e) {
      throw new MolaException(to + ": cannot be written: " + reason(e), e);
    }
  }

  /** What the system said; a file system's exception has only the path as its message. */
  static String reason(IOException e) {
    String reason = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
    return reason == null ? e.getClass().getSimpleName() : reason;
  }

  private static void remove(Path temporary, Throwable cause) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  /** Makes the rename durable where the system lets folders be opened. */
  static void forceFolder(@Nullable Path folder) throws IOException {
    if (folder == null || System.getProperty("os.name", "").startsWith("Windows")) {
      return;
    }
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
