package io.mola.cuda.driver;

import java.util.ArrayList;
import java.util.List;

/**
 * Scratch memory of the operation that runs: taken piece by piece, given back as a whole when the
 * next operation starts. It grows to what the largest operation took and stays, so that a steady
 * step allocates nothing.
 */
public final class Workspace implements AutoCloseable {
  /** Alignment of each piece. */
  public static final int ALIGNMENT = 256;

  private record Chunk(long address, long bytes) {}

  private final Device device;
  private final List<Chunk> chunks = new ArrayList<>();
  private long used;

  /** Nothing is allocated yet. */
  public Workspace(Device device) {
    this.device = device;
  }

  /** Gives back all pieces. Kernels queued before may still read them: the stream is in order. */
  public void reset() {
    if (chunks.size() > 1) {
      long all = chunks.stream().mapToLong(Chunk::bytes).sum();
      close();
      add(all);
    }
    used = 0;
  }

  /** A piece of at least that size, with unknown content. */
  public long take(long bytes) {
    long size = padded(bytes);
    if (chunks.isEmpty() || used + size > chunks.getLast().bytes()) {
      add(size);
      used = 0;
    }
    long address = chunks.getLast().address() + used;
    used += size;
    return address;
  }

  /** Device memory that it holds. */
  public long bytes() {
    return chunks.stream().mapToLong(Chunk::bytes).sum();
  }

  /** The state now, for {@link #release}. */
  public Mark mark() {
    return new Mark(chunks.size(), used);
  }

  /** Gives back the pieces taken since the mark; kernels queued before may still use them. */
  public void release(Mark mark) {
    if (mark.chunks == chunks.size()) {
      used = mark.used;
    }
  }

  /**
   * A state of the workspace.
   *
   * @param chunks number of allocations
   * @param used bytes taken of the last
   */
  public record Mark(int chunks, long used) {}

  /** What a piece of that size takes. */
  public static long padded(long bytes) {
    return (Math.max(1, bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private void add(long bytes) {
    long address = device.allocate(bytes, () -> "the backend's workspace");
    chunks.add(new Chunk(address, bytes));
  }

  @Override
  public void close() {
    Closing closing = new Closing();
    chunks.forEach(chunk -> closing.step(() -> device.free(chunk.address())));
    chunks.clear();
    used = 0;
    closing.finish();
  }
}
