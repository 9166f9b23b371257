package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads values one after the other from a mapped GGUF file; every read is checked against the end
 * of the file, every count against the bytes that are left, before anything is allocated.
 */
final class GgufReader {
  private static final int DEEPEST = 4;
  private static final int ARRAY = 9;
  private static final int STRING = 8;

  /** Counts up to here are believed until the file ends, which says more about the fault. */
  private static final long PLAUSIBLE = 1 << 16;

  /** Array elements in all metadata; the largest vocabularies and merge lists have under 2^20. */
  private static final long MOST_ELEMENTS = 1 << 24;

  /** Bytes per value of the metadata types 0 to 12; a string or array has at least its count. */
  private static final int[] SMALLEST = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

  private final Path path;
  private final MemorySegment bytes;
  private final boolean wideCounts;
  private final CharsetDecoder utf8 = StandardCharsets.UTF_8.newDecoder();
  private long at;
  private String place;
  private long elements;

  /**
   * @param wideCounts whether counts and lengths have 64 bits (versions 2 and 3) or 32 (version 1)
   */
  GgufReader(Path path, MemorySegment bytes, long start, boolean wideCounts) {
    this.path = path;
    this.bytes = bytes;
    this.wideCounts = wideCounts;
    at = start;
    place = "the header";
  }

  /** What is being read, for messages. */
  void enter(String where) {
    place = where;
  }

  long position() {
    return at;
  }

  long remaining() {
    return bytes.byteSize() - at;
  }

  MalformedFileException fault(String what) {
    return new MalformedFileException(path, what);
  }

  private void need(long count) {
    if (count < 0 || count > remaining()) {
      throw fault("truncated in " + place);
    }
  }

  int u32() {
    need(4);
    int value = bytes.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at);
    at += 4;
    return value;
  }

  long u64() {
    need(8);
    long value = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at);
    at += 8;
    return value;
  }

  /** A count or length; negative if it does not fit 63 bits. */
  long count() {
    return wideCounts ? u64() : Integer.toUnsignedLong(u32());
  }

  /**
   * A count of things of at least {@code smallest} bytes each; nothing may be allocated by it.
   *
   * @throws MalformedFileException if the file cannot hold as many
   */
  int countOf(String what, long smallest) {
    long count = count();
    if (count < 0
        || count > Math.max(PLAUSIBLE, remaining() / smallest)
        || count > Integer.MAX_VALUE - 8) {
      throw fault(
          "%s %s is impossible for a file of this size"
              .formatted(what, Long.toUnsignedString(count)));
    }
    return (int) count;
  }

  String string(String what) {
    return string(what, -1);
  }

  /** An element of an array of strings; -1: not in an array. */
  private String string(String what, long index) {
    long length = count();
    if (length < 0 || length > remaining()) {
      throw fault(
          "%s: string length %s reaches beyond the end of the file (truncated in %s)"
              .formatted(indexed(what, index), Long.toUnsignedString(length), place));
    }
    try {
      String value = utf8.decode(bytes.asSlice(at, length).asByteBuffer()).toString();
      at += length;
      return value;
    } catch (CharacterCodingException e) {
      throw new MalformedFileException(path, indexed(what, index) + " is not valid UTF-8", e);
    }
  }

  private static String indexed(String what, long index) {
    return index < 0 ? what : what + ", index " + index;
  }

  /** A metadata value: Boolean, Long, Double, String or a List of one of them. */
  Object value(String key) {
    return value(key, u32(), 0);
  }

  private Object value(String key, int type, int depth) {
    return switch (type) {
      case 0 -> (long) Byte.toUnsignedInt(byteValue());
      case 1 -> (long) byteValue();
      case 2 -> (long) Short.toUnsignedInt(shortValue());
      case 3 -> (long) shortValue();
      case 4 -> Integer.toUnsignedLong(u32());
      case 5 -> (long) u32();
      case 6 -> (double) Float.intBitsToFloat(u32());
      case 7 -> bool(key);
      case STRING -> string(key);
      case ARRAY -> array(key, depth);
      case 10 -> unsigned(u64());
      case 11 -> u64();
      case 12 -> Double.longBitsToDouble(u64());
      default ->
          throw fault(
              "unknown metadata type %s of key %s".formatted(Integer.toUnsignedString(type), key));
    };
  }

  private static Object unsigned(long value) {
    return value >= 0 ? value : new java.math.BigInteger(Long.toUnsignedString(value));
  }

  private Boolean bool(String key) {
    byte value = byteValue();
    if (value != 0 && value != 1) {
      throw fault("key " + key + ": a boolean must be 0 or 1, but is " + value);
    }
    return value == 1;
  }

  private List<Object> array(String key, int depth) {
    if (depth >= DEEPEST) {
      throw fault("key " + key + ": arrays are nested too deep");
    }
    int type = u32();
    if (type < 0 || type >= SMALLEST.length) {
      throw fault(
          "unknown metadata type %s in the array of key %s"
              .formatted(Integer.toUnsignedString(type), key));
    }
    int smallest = type == STRING && !wideCounts ? 4 : SMALLEST[type];
    long count = count();
    if (count < 0 || count > remaining() / smallest) {
      throw fault(
          "key %s: an array of %s values is larger than the file (truncated in the metadata)"
              .formatted(key, Long.toUnsignedString(count)));
    }
    elements += count;
    if (elements > MOST_ELEMENTS) {
      throw fault("key " + key + ": the metadata arrays have over 2^24 elements");
    }
    List<Object> values = new ArrayList<>((int) count);
    for (long i = 0; i < count; i++) {
      values.add(type == STRING ? string(key, i) : value(key, type, depth + 1));
    }
    return values;
  }

  private byte byteValue() {
    need(1);
    return bytes.get(ValueLayout.JAVA_BYTE, at++);
  }

  private short shortValue() {
    need(2);
    short value =
        bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at);
    at += 2;
    return value;
  }
}
