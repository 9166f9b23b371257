package io.mola.core.safetensors;

import io.mola.core.failure.MalformedFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** The entries of a header, checked one by one; and, as a whole, against the data they describe. */
record SafetensorsHeader(Path path, List<Entry> entries) {

  /**
   * Bits per element of the types of the format. Those that pack several elements into a byte are
   * known so that a file with them can be opened; mola reads none of them as weights.
   */
  static final Map<String, Integer> ELEMENT_BITS =
      Map.ofEntries(
          Map.entry("F4", 4),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("BOOL", 8),
          Map.entry("U8", 8),
          Map.entry("I8", 8),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E8M0", 8),
          Map.entry("F8_E4M3FNUZ", 8),
          Map.entry("F8_E5M2FNUZ", 8),
          Map.entry("U16", 16),
          Map.entry("I16", 16),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("U32", 32),
          Map.entry("I32", 32),
          Map.entry("F32", 32),
          Map.entry("U64", 64),
          Map.entry("I64", 64),
          Map.entry("F64", 64),
          Map.entry("C64", 64));

  /**
   * One tensor.
   *
   * @param begin of its data, from the start of all data
   * @param end exclusive
   */
  record Entry(String name, String dtype, List<Long> shape, long begin, long end) {}

  /** Tensors must cover {@code dataBytes} bytes without hole or overlap. */
  void requireExactCover(long dataBytes) {
    List<Entry> sorted = new ArrayList<>(entries);
    sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long at = 0;
    String before = "";
    for (Entry e : sorted) {
      if (e.end() > dataBytes) {
        throw fault(
            "%s reaches %d bytes beyond the end of the file"
                .formatted(e.name(), e.end() - dataBytes));
      }
      if (e.begin() < at) {
        throw fault(before + " and " + e.name() + " overlap");
      }
      if (e.begin() > at) {
        throw fault("%d bytes before %s belong to no tensor".formatted(e.begin() - at, e.name()));
      }
      at = e.end();
      before = e.name();
    }
    if (at < dataBytes) {
      throw fault("%d bytes after the last tensor belong to no tensor".formatted(dataBytes - at));
    }
  }

  private MalformedFileException fault(String what) {
    return new MalformedFileException(path, what);
  }
}
