package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import io.mola.core.safetensors.MappedFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A GGUF file (versions 1 to 3, little-endian), mapped read-only and validated: metadata, tensor
 * list, and that every tensor lies aligned, inside the file and apart from the others.
 * Specification: ggml/docs/gguf.md.
 */
final class GgufFile implements AutoCloseable {
  private static final int MAGIC_BYTES = 4;
  private static final int NEWEST = 3;
  private static final long DEFAULT_ALIGNMENT = 32;

  private final MappedFile file;
  private final int version;
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final Map<String, MemorySegment> entries = new LinkedHashMap<>();
  private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();

  private GgufFile(MappedFile file) {
    this.file = file;
    MemorySegment bytes = file.bytes();
    requireMagic(bytes);
    version = version(bytes);
    boolean wide = version > 1;
    GgufReader reader = new GgufReader(path(), bytes, MAGIC_BYTES + 4L, wide);
    long countBytes = wide ? 8 : 4;
    int tensorCount = reader.countOf("tensor count", 2 * countBytes + 8);
    int keyCount = reader.countOf("metadata count", countBytes + 5);
    readMetadata(reader, keyCount);
    GgufTensorList list = new GgufTensorList(reader, tensorCount);
    list.place(bytes, alignment(), tensors);
  }

  /**
   * Maps and validates a file.
   *
   * @throws MalformedFileException naming the fault
   */
  static GgufFile open(Path path) {
    MappedFile file = MappedFile.open(path);
    try {
      return new GgufFile(file);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private void requireMagic(MemorySegment bytes) {
    if (bytes.byteSize() < MAGIC_BYTES) {
      throw new MalformedFileException(
          path(), bytes.byteSize() + " bytes are too short to be a GGUF file");
    }
    byte[] magic = bytes.asSlice(0, MAGIC_BYTES).toArray(ValueLayout.JAVA_BYTE);
    if (!new String(magic, StandardCharsets.ISO_8859_1).equals("GGUF")) {
      throw new MalformedFileException(
          path(),
          "not a GGUF file: bad magic %s (%s)"
              .formatted(
                  Arrays.toString(magic),
                  new String(magic, StandardCharsets.US_ASCII).replaceAll("[^ -~]", "?")));
    }
  }

  private int version(MemorySegment bytes) {
    if (bytes.byteSize() < MAGIC_BYTES + 4) {
      throw new MalformedFileException(path(), "truncated in the header");
    }
    int found =
        bytes.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), MAGIC_BYTES);
    int swapped = Integer.reverseBytes(found);
    if (swapped >= 1 && swapped <= NEWEST) {
      throw new MalformedFileException(
          path(),
          "a big-endian GGUF file, or a damaged one (wrong byte order); only little-endian is supported");
    }
    if (found < 1 || found > NEWEST) {
      throw new MalformedFileException(
          path(),
          "unsupported GGUF version " + Integer.toUnsignedString(found) + "; supported: 1 to 3");
    }
    return found;
  }

  private void readMetadata(GgufReader reader, int count) {
    for (int i = 0; i < count; i++) {
      reader.enter("the metadata: entry %d of %d is missing".formatted(i + 1, count));
      long start = reader.position();
      String key = reader.string("a metadata key");
      if (key.isEmpty()) {
        throw reader.fault("empty metadata key");
      }
      reader.enter("the metadata, key " + key);
      Object value = reader.value(key);
      if (metadata.putIfAbsent(key, value) != null) {
        throw reader.fault("duplicate metadata key " + key);
      }
      entries.put(key, file.bytes().asSlice(start, reader.position() - start));
    }
  }

  /** Where tensor data starts: a multiple of this, from the start of the data. */
  long alignment() {
    Object value = metadata.getOrDefault("general.alignment", DEFAULT_ALIGNMENT);
    if (!(value instanceof Long alignment)) {
      throw new MalformedFileException(path(), "general.alignment must be a number");
    }
    if (Long.bitCount(alignment) != 1 || alignment < 8) {
      throw new MalformedFileException(
          path(),
          "general.alignment must be a power of two and a multiple of 8, but is " + alignment);
    }
    return alignment;
  }

  /** The encodings mola reads, for messages. */
  static String supportedTypes() {
    return Arrays.stream(QuantType.values()).map(Enum::name).collect(Collectors.joining(", "));
  }

  Path path() {
    return file.path();
  }

  int version() {
    return version;
  }

  long bytes() {
    return file.bytes().byteSize();
  }

  Map<String, Object> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** The bytes of each metadata entry (key, type, value) as they are in the file. */
  Map<String, MemorySegment> metadataBytes() {
    return Collections.unmodifiableMap(entries);
  }

  /** Tensors by name, in the order of the file's list. */
  Map<String, GgufTensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /** Where the data of one of its tensors starts in the file. */
  long offsetOf(GgufTensor tensor) {
    return tensor.bytes().address() - file.bytes().address();
  }

  List<GgufTensor> tensorList() {
    return List.copyOf(tensors.values());
  }

  @Override
  public void close() {
    file.close();
  }
}
