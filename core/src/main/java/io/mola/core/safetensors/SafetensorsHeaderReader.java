package io.mola.core.safetensors;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.safetensors.SafetensorsHeader.Entry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the JSON text of a header token by token. A header may have up to 100 MB, and a tree of it
 * many times that; a stream also knows the second of two equal keys, which a tree does not.
 */
final class SafetensorsHeaderReader {
  private static final String METADATA = "__metadata__";
  private static final int MOST_DIMENSIONS = 64;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final Path path;
  private final JsonParser json;
  private final Map<String, String> metadata;
  private final List<Entry> entries = new ArrayList<>();

  private SafetensorsHeaderReader(Path path, JsonParser json, Map<String, String> metadata) {
    this.path = path;
    this.json = json;
    this.metadata = metadata;
  }

  /**
   * Reads a header.
   *
   * @param metadata receives {@code __metadata__}
   */
  static SafetensorsHeader read(Path path, String text, Map<String, String> metadata) {
    if (!text.startsWith("{")) {
      String first = text.stripLeading();
      throw new MalformedFileException(
          path,
          first.startsWith("{")
              ? "the header must start with {, not with white space"
              : first.startsWith("[")
                  ? "the header must be a JSON object"
                  : "the header is not valid JSON: it must start with {, line 1 column 1");
    }
    try (JsonParser json = MAPPER.createParser(text)) {
      SafetensorsHeaderReader reader = new SafetensorsHeaderReader(path, json, metadata);
      reader.readObject();
      reader.requireEnd();
      return new SafetensorsHeader(path, List.copyOf(reader.entries));
    } catch (JacksonException e) {
      TokenStreamLocation at = e.getLocation();
      String place = at == null ? "" : ", line " + at.getLineNr() + " column " + at.getColumnNr();
      String reason = e.getOriginalMessage().lines().findFirst().orElse("");
      throw new MalformedFileException(path, "the header is not valid JSON: " + reason + place, e);
    }
  }

  private void readObject() {
    json.nextToken();
    Set<String> names = new HashSet<>();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String name = json.currentName();
      if (!names.add(name)) {
        throw fault("duplicate tensor name " + name);
      }
      json.nextToken();
      if (name.equals(METADATA)) {
        readMetadata();
      } else {
        entries.add(new EntryReader(name).read());
      }
    }
  }

  private void requireEnd() {
    boolean ended;
    try {
      ended = json.nextToken() == null;
    } catch (JacksonException e) {
      throw new MalformedFileException(path, "there is text after the header's JSON object", e);
    }
    if (!ended) {
      throw fault("there is text after the header's JSON object");
    }
  }

  private void readMetadata() {
    if (json.currentToken() == JsonToken.VALUE_NULL) {
      return; // some writers put null for "none"
    }
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw fault(METADATA + " must be an object");
    }
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String key = json.currentName();
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw fault(METADATA + " values must be strings, but " + key + " is not");
      }
      if (metadata.putIfAbsent(key, json.getString()) != null) {
        throw fault(METADATA + " has " + key + " twice");
      }
    }
  }

  private MalformedFileException fault(String what) {
    return new MalformedFileException(path, what);
  }

  /** Reads the entry of one tensor. */
  private final class EntryReader {
    private final String name;
    private @Nullable String dtype;
    private @Nullable List<Long> shape;
    private @Nullable List<Long> offsets;

    EntryReader(String name) {
      this.name = name;
    }

    Entry read() {
      if (json.currentToken() != JsonToken.START_OBJECT) {
        throw fault(name + " must be an object");
      }
      Set<String> fields = new HashSet<>();
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String field = json.currentName();
        if (!fields.add(field)) {
          throw fault(name + ": duplicate field " + field);
        }
        json.nextToken();
        switch (field) {
          case "dtype" -> dtype = text();
          case "shape" -> shape = numbers(field, "dimension");
          case "data_offsets" -> offsets = numbers(field, "offset");
          default -> throw fault(name + ": unknown field " + field);
        }
      }
      return checked();
    }

    private Entry checked() {
      if (dtype == null) {
        throw fault(name + " has no dtype");
      }
      if (shape == null) {
        throw fault(name + " has no shape");
      }
      if (offsets == null || offsets.size() != 2) {
        throw fault(name + ": data_offsets must be two numbers");
      }
      Integer bits = SafetensorsHeader.ELEMENT_BITS.get(dtype);
      if (bits == null) {
        throw fault(name + ": unknown dtype " + dtype);
      }
      long begin = offsets.get(0);
      long end = offsets.get(1);
      if (begin > end) {
        throw fault(name + ": begin is after end");
      }
      long needed = bytes(shape, bits);
      if (needed != end - begin) {
        throw fault(
            "%s: shape and dtype need %d bytes, the offsets give %d"
                .formatted(name, needed, end - begin));
      }
      return new Entry(name, dtype, shape, begin, end);
    }

    private long bytes(List<Long> shape, int bits) {
      String what = "element count";
      try {
        long elements = 1;
        for (long dimension : shape) {
          elements = Math.multiplyExact(elements, dimension);
        }
        what = "size";
        long total = Math.multiplyExact(elements, bits);
        if (total % 8 != 0) {
          throw fault(name + ": its elements do not fill whole bytes");
        }
        return total / 8;
      } catch (ArithmeticException e) {
        throw new MalformedFileException(path, name + ": the " + what + " overflows", e);
      }
    }

    private String text() {
      if (json.currentToken() != JsonToken.VALUE_STRING) {
        throw fault(name + ": dtype must be a string");
      }
      return json.getString();
    }

    private List<Long> numbers(String field, String what) {
      if (json.currentToken() != JsonToken.START_ARRAY) {
        throw fault(name + ": " + field + " must be an array of integers");
      }
      List<Long> values = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (json.currentToken() != JsonToken.VALUE_NUMBER_INT) {
          throw fault(name + ": " + what + "s must be integers");
        }
        if (json.getString().startsWith("-")) {
          throw fault(name + ": negative " + what + " " + json.getString());
        }
        if (json.getBigIntegerValue().bitLength() > 63) {
          throw fault(name + ": " + what + " out of range");
        }
        if (values.size() == MOST_DIMENSIONS) {
          throw fault(name + ": " + field + " has more than " + MOST_DIMENSIONS + " numbers");
        }
        values.add(json.getLongValue());
      }
      return values;
    }
  }
}
