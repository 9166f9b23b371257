package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.quant.QuantType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The tensor list of a GGUF file: read, then checked against the data that follows it. */
final class GgufTensorList {
  private static final int MOST_DIMENSIONS = 4;
  private static final int LONGEST_NAME = 64;

  private final GgufReader reader;
  private final List<Entry> infos = new ArrayList<>();
  private final long end;

  private record Entry(
      String name, QuantType type, List<Long> dimensions, long offset, long bytes) {}

  GgufTensorList(GgufReader reader, int count) {
    this.reader = reader;
    Set<String> names = new HashSet<>();
    for (int i = 0; i < count; i++) {
      reader.enter("the tensor list: tensor %d of %d".formatted(i + 1, count));
      Entry info = read();
      if (!names.add(info.name())) {
        throw reader.fault("duplicate tensor name " + info.name());
      }
      infos.add(info);
    }
    end = reader.position();
  }

  private Entry read() {
    String name = reader.string("a tensor name");
    if (name.isEmpty()) {
      throw reader.fault("empty tensor name");
    }
    if (name.length() > LONGEST_NAME) {
      throw reader.fault(
          "tensor name too long: %d characters, the format allows %d"
              .formatted(name.length(), LONGEST_NAME));
    }
    int count = reader.u32();
    if (count < 1 || count > MOST_DIMENSIONS) {
      throw reader.fault(
          "tensor %s: the number of dimensions must be 1 to 4, but is %s"
              .formatted(name, Integer.toUnsignedString(count)));
    }
    List<Long> dimensions = new ArrayList<>();
    for (int d = 0; d < count; d++) {
      dimensions.add(reader.count());
    }
    int id = reader.u32();
    QuantType type =
        QuantType.ofGgufId(id)
            .orElseThrow(() ->
                reader.fault(
                    "tensor %s: unknown or unsupported tensor type %s; supported: %s"
                        .formatted(name, Integer.toUnsignedString(id), GgufFile.supportedTypes())));
    return new Entry(name, type, dimensions, reader.u64(), size(name, type, dimensions));
  }

  private long size(String name, QuantType type, List<Long> dimensions) {
    for (long dimension : dimensions) {
      if (dimension == 0) {
        throw reader.fault("tensor " + name + ": a dimension is 0");
      }
      if (dimension < 0) {
        throw reader.fault(
            "tensor %s: impossible dimension %s".formatted(name, Long.toUnsignedString(dimension)));
      }
    }
    try {
      long elements = dimensions.stream().reduce(1L, Math::multiplyExact);
      long row = dimensions.getFirst();
      if (row % type.blockLength() != 0) {
        throw reader.fault(
            "tensor %s: row length %d is not a multiple of the block size %d of %s"
                .formatted(name, row, type.blockLength(), type));
      }
      return Math.multiplyExact(elements / type.blockLength(), (long) type.blockBytes());
    } catch (ArithmeticException e) {
      throw (MalformedFileException)
          reader.fault("tensor " + name + ": the element count overflows").initCause(e);
    }
  }

  /** Checks where the data lies and gives every tensor its bytes. */
  void place(MemorySegment file, long alignment, Map<String, GgufTensor> tensors) {
    if (infos.isEmpty()) {
      return;
    }
    long start = (end + alignment - 1) / alignment * alignment;
    long room = file.byteSize() - start;
    for (Entry info : infos) {
      if (info.offset() % alignment != 0) {
        throw reader.fault(
            "tensor %s: offset %s is not a multiple of the alignment %d"
                .formatted(info.name(), Long.toUnsignedString(info.offset()), alignment));
      }
      if (info.offset() < 0
          || room < 0
          || info.bytes() > room
          || info.offset() > room - info.bytes()) {
        throw beyondEnd(info, room);
      }
    }
    requireApart();
    for (Entry info : infos) {
      MemorySegment bytes = file.asSlice(start + info.offset(), info.bytes());
      tensors.put(info.name(), new GgufTensor(info.name(), info.type(), info.dimensions(), bytes));
    }
  }

  private RuntimeException beyondEnd(Entry info, long room) {
    boolean countable =
        info.offset() >= 0 && room >= 0 && info.offset() <= Long.MAX_VALUE - info.bytes();
    String by = countable ? " %d bytes".formatted(info.offset() + info.bytes() - room) : "";
    String unit = by.equals(" 1 bytes") ? " 1 byte" : by;
    return reader.fault(
        "tensor " + info.name() + " reaches" + unit + " beyond the end of the file");
  }

  private void requireApart() {
    List<Entry> sorted = infos.stream().sorted(Comparator.comparingLong(Entry::offset)).toList();
    for (int i = 1; i < sorted.size(); i++) {
      Entry before = sorted.get(i - 1);
      Entry after = sorted.get(i);
      if (before.offset() + before.bytes() > after.offset()) {
        throw reader.fault(before.name() + " and " + after.name() + " overlap");
      }
    }
  }
}
