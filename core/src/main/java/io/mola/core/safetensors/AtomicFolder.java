package io.mola.core.safetensors;

import io.mola.core.failure.MolaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Folders that have their name only while they are complete: filled under a hidden name and then
 * renamed; renamed to a hidden name before they are deleted. A killed program leaves hidden folders
 * at most, which {@link #removeLeftovers} finds.
 */
public final class AtomicFolder {
  private static final String PART = ".part";
  private static final String OLD = ".old";

  private AtomicFolder() {}

  /** Fills a folder. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything into {@code folder}, which exists and is empty; each file durably. */
    void writeTo(Path folder) throws IOException;
  }

  /**
   * Writes {@code target}; a folder of that name is replaced.
   *
   * @throws MolaException if writing fails, for example because the disk is full; nothing is left
   */
  public static void write(Path target, Content content) {
    Path temporary = hidden(target, PART);
    try {
      delete(temporary);
      Files.createDirectories(temporary);
      content.writeTo(temporary);
      AtomicFile.forceFolder(temporary);
      remove(target);
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      AtomicFile.forceFolder(target.toAbsolutePath().getParent());
    } catch (IOException e) {
      deleteAfter(temporary, e);
      throw new MolaException(
          target
              + ": cannot be written: "
              + AtomicFile.reason(e)
              + "; free some space or choose another folder",
          e);
    } catch (RuntimeException | Error e) {
      deleteAfter(temporary, e);
      throw e;
    }
  }

  /**
   * Deletes a folder, if it exists.
   *
   * @throws MolaException if the system refuses
   */
  public static void remove(Path folder) {
    if (!Files.exists(folder)) {
      return;
    }
    Path old = hidden(folder, OLD);
    try {
      delete(old);
      Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
      delete(old);
    } catch (IOException e) {
      throw new MolaException(folder + ": cannot be removed: " + AtomicFile.reason(e), e);
    }
  }

  /**
   * Deletes what killed programs have left of folders whose names begin with {@code prefix}.
   *
   * @throws MolaException if the system refuses
   */
  public static void removeLeftovers(Path parent, String prefix) {
    if (!Files.isDirectory(parent)) {
      return;
    }
    try (Stream<Path> entries = Files.list(parent)) {
      for (Path entry : entries.filter(entry -> isLeftover(entry, prefix)).toList()) {
        delete(entry);
      }
    } catch (IOException e) {
      throw new MolaException(parent + ": cannot be cleared: " + AtomicFile.reason(e), e);
    }
  }

  private static boolean isLeftover(Path entry, String prefix) {
    String name = entry.getFileName().toString();
    return name.startsWith("." + prefix) && (name.endsWith(PART) || name.endsWith(OLD));
  }

  private static Path hidden(Path folder, String suffix) {
    return folder.resolveSibling("." + folder.getFileName() + suffix);
  }

  private static void deleteAfter(Path folder, Throwable cause) {
    try {
      delete(folder);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> walk = Files.walk(folder)) {
      List<Path> deepestFirst = walk.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        Files.delete(path);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
