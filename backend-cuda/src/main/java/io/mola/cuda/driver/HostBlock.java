package io.mola.cuda.driver;

import java.lang.foreign.MemorySegment;
import org.bytedeco.javacpp.Pointer;

/** Bytes in pinned host memory that visit the device whenever they are used. */
public final class HostBlock {
  private final Pointer pinned;
  private final long bytes;

  HostBlock(Pointer pinned, long bytes) {
    this.pinned = pinned;
    this.bytes = bytes;
  }

  Pointer pinned() {
    return pinned;
  }

  /** Size. */
  public long bytes() {
    return bytes;
  }

  /** The bytes themselves, for filling before the first use. */
  @SuppressWarnings("restricted") // pinned memory has an address and no arena
  public MemorySegment segment() {
    return MemorySegment.ofAddress(pinned.address()).reinterpret(bytes);
  }
}
