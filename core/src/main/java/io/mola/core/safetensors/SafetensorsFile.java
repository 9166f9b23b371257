package io.mola.core.safetensors;

import io.mola.core.failure.MalformedFileException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A safetensors file, mapped read-only.
 *
 * <p>Layout: 8 bytes little-endian header length, a JSON object, data. The file may come from
 * anyone, so the header is checked as strictly as the format's own library does: a cap on its size
 * before it is read, no duplicate keys, checked arithmetic on shapes and offsets, and tensors that
 * cover the data exactly, without hole or overlap.
 */
public final class SafetensorsFile implements AutoCloseable {
  private static final int LENGTH_BYTES = 8;
  private static final long LARGEST_HEADER = 100_000_000;

  private final MappedFile file;
  private final Map<String, SafetensorsTensor> tensors;
  private final Map<String, String> metadata;

  private SafetensorsFile(
      MappedFile file, Map<String, SafetensorsTensor> tensors, Map<String, String> metadata) {
    this.file = file;
    this.tensors = Collections.unmodifiableMap(tensors);
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  /**
   * Maps and checks a file.
   *
   * @throws MalformedFileException if it is not a valid safetensors file; it names the fault
   */
  public static SafetensorsFile open(Path path) {
    MappedFile file = MappedFile.open(path);
    try {
      MemorySegment bytes = file.bytes();
      String json = header(path, bytes);
      Map<String, String> metadata = new LinkedHashMap<>();
      SafetensorsHeader header = SafetensorsHeaderReader.read(path, json, metadata);
      MemorySegment data = bytes.asSlice(LENGTH_BYTES + headerLength(bytes));
      header.requireExactCover(data.byteSize());
      Map<String, SafetensorsTensor> tensors = new LinkedHashMap<>();
      for (SafetensorsHeader.Entry e : header.entries()) {
        tensors.put(
            e.name(),
            new SafetensorsTensor(
                e.name(), e.dtype(), e.shape(), data.asSlice(e.begin(), e.end() - e.begin())));
      }
      return new SafetensorsFile(file, tensors, metadata);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static long headerLength(MemorySegment bytes) {
    return bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
  }

  private static String header(Path path, MemorySegment bytes) {
    if (bytes.byteSize() < LENGTH_BYTES) {
      throw new MalformedFileException(
          path, bytes.byteSize() + " bytes are too short for a safetensors header");
    }
    long length = headerLength(bytes);
    if (length < 0) {
      throw new MalformedFileException(path, "the header length is impossible");
    }
    if (length == 0) {
      throw new MalformedFileException(path, "the header is empty, so not valid JSON");
    }
    if (length > LARGEST_HEADER) {
      throw new MalformedFileException(
          path, "a header of %,d bytes is too large: 100 MB is the limit".formatted(length));
    }
    if (length > bytes.byteSize() - LENGTH_BYTES) {
      throw new MalformedFileException(
          path, "the header of %,d bytes reaches beyond the end of the file".formatted(length));
    }
    ByteBuffer buffer = bytes.asSlice(LENGTH_BYTES, length).asByteBuffer();
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(buffer).toString();
    } catch (CharacterCodingException e) {
      throw new MalformedFileException(path, "the header is not valid UTF-8", e);
    }
  }

  /** The file as named. */
  public Path path() {
    return file.path();
  }

  /** Tensors by name, in the order of the header. */
  public Map<String, SafetensorsTensor> tensors() {
    return tensors;
  }

  /** The header's {@code __metadata__}. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** Where the data of one of its tensors starts in the file. */
  public long offsetOf(SafetensorsTensor tensor) {
    return tensor.bytes().address() - file.bytes().address();
  }

  /** Size of the file. */
  public long bytes() {
    return file.bytes().byteSize();
  }

  @Override
  public void close() {
    file.close();
  }
}
