package io.mola.gguf;

import io.mola.core.failure.UsageException;
import io.mola.core.quant.QuantType;
import io.mola.core.quant.StoredMatrix;
import io.mola.core.safetensors.AtomicFile;
import io.mola.core.weights.WeightSource;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Copies a GGUF model into one new file of the same version, changing some matrices. Metadata
 * entries are copied byte by byte, but for those that describe the shards of the source; tensors
 * keep their order. {@code general.file_type} is a label only and is left as it is.
 */
final class GgufRewriter {
  private static final String SHARD_KEYS = "split.";

  private final GgufShards shards;
  private final WeightSource source;
  private final ChangedRows changed;
  private final long alignment;
  private final int version;

  /** What is written of one tensor; {@code canonical} is empty if its bytes are copied. */
  private record Item(GgufTensor tensor, Optional<String> canonical, QuantType type, long bytes) {}

  GgufRewriter(GgufShards shards, WeightSource source, ChangedRows changed) {
    this.shards = shards;
    this.source = source;
    this.changed = changed;
    alignment = shards.first().alignment();
    version = shards.first().version();
  }

  void write(Path target) {
    refuseSource(target);
    List<MemorySegment> entries = new ArrayList<>();
    for (Map.Entry<String, MemorySegment> e : shards.first().metadataBytes().entrySet()) {
      if (!e.getKey().startsWith(SHARD_KEYS)) {
        entries.add(e.getValue());
      }
    }
    List<Item> items = new ArrayList<>();
    for (GgufShards.Placed placed : shards.tensors().values()) {
      items.add(item(placed.tensor()));
    }
    AtomicFile.write(target, out -> write(entries, items, out));
  }

  private void refuseSource(Path target) {
    try {
      for (GgufFile file : shards.files()) {
        if (Files.exists(target) && Files.isSameFile(target, file.path())) {
          throw new UsageException(target + ": is the base model; choose another file");
        }
      }
    } catch (IOException e) {
      throw new UsageException(target + ": cannot be written to: " + e.getMessage(), e);
    }
  }

  private Item item(GgufTensor tensor) {
    Optional<String> canonical =
        GgufNames.canonical(tensor.name()).filter(changed.change()::changes);
    return canonical
        .flatMap(source::find)
        .map(matrix -> new Item(tensor, canonical, changed.type(), changed.bytes(matrix)))
        .orElseGet(
            () -> new Item(tensor, Optional.empty(), tensor.type(), tensor.bytes().byteSize()));
  }

  private void write(List<MemorySegment> entries, List<Item> items, OutputStream out)
      throws IOException {
    long at = 0;
    byte[] headerBytes = new byte[8 + 2 * countBytes()];
    ByteBuffer header = littleEndian(headerBytes);
    header.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(version);
    putCount(header, items.size());
    putCount(header, entries.size());
    out.write(headerBytes);
    at += headerBytes.length;
    for (MemorySegment entry : entries) {
      ChangedRows.copy(entry, out);
      at += entry.byteSize();
    }
    long offset = 0;
    for (Item item : items) {
      byte[] info = info(item, offset);
      out.write(info);
      at += info.length;
      offset += padded(item.bytes());
    }
    pad(padded(at) - at, out);
    for (Item item : items) {
      writeData(item, out);
      pad(padded(item.bytes()) - item.bytes(), out);
    }
  }

  private byte[] info(Item item, long offset) {
    byte[] name = item.tensor().name().getBytes(StandardCharsets.UTF_8);
    List<Long> dimensions = item.tensor().dimensions();
    byte[] bytes = new byte[name.length + 4 + (1 + dimensions.size()) * countBytes() + 4 + 8];
    ByteBuffer info = littleEndian(bytes);
    putCount(info, name.length);
    info.put(name).putInt(dimensions.size());
    dimensions.forEach(dimension -> putCount(info, dimension));
    info.putInt(item.type().ggufId()).putLong(offset);
    return bytes;
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Counts, lengths and dimensions have 32 bits in version 1. */
  private int countBytes() {
    return version == 1 ? Integer.BYTES : Long.BYTES;
  }

  private void putCount(ByteBuffer to, long count) {
    if (version == 1) {
      to.putInt((int) count);
    } else {
      to.putLong(count);
    }
  }

  private void writeData(Item item, OutputStream out) throws IOException {
    if (item.canonical().isEmpty()) {
      ChangedRows.copy(item.tensor().bytes(), out);
      return;
    }
    String name = item.canonical().get();
    StoredMatrix matrix = source.find(name).orElseThrow();
    changed.write(name, matrix, out);
  }

  private long padded(long bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  private static void pad(long count, OutputStream out) throws IOException {
    out.write(new byte[Math.toIntExact(count)]);
  }
}
