package io.mola.core.safetensors;

import io.mola.core.failure.UsageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file mapped read-only as a whole, of any size, until it is closed. */
public final class MappedFile implements AutoCloseable {
  private final Path path;
  private final Arena arena;
  private final MemorySegment bytes;

  private MappedFile(Path path, Arena arena, MemorySegment bytes) {
    this.path = path;
    this.arena = arena;
    this.bytes = bytes;
  }

  /**
   * Maps a file.
   *
   * @throws UsageException if it is missing, not a file or cannot be read
   */
  @SuppressWarnings("MustBeClosedChecker") // the arena is closed by close()
  public static MappedFile open(Path path) {
    if (!Files.exists(path)) {
      throw new UsageException(path + ": no such file");
    }
    if (!Files.isRegularFile(path)) {
      throw new UsageException(path + ": not a file");
    }
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      return new MappedFile(path, arena, bytes);
    } catch (IOException e) {
      arena.close();
      throw new UsageException(path + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** The file as named. */
  public Path path() {
    return path;
  }

  /** All its bytes. */
  public MemorySegment bytes() {
    return bytes;
  }

  @Override
  public void close() {
    arena.close();
  }
}
