package io.mola.gguf;

import io.mola.core.failure.MalformedFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Typed access to GGUF metadata, with messages that name the key. */
record GgufMetadata(Path path, Map<String, Object> values) {

  boolean has(String key) {
    return values.containsKey(key);
  }

  String string(String key) {
    Object value = values.get(key);
    if (value == null) {
      throw fault(key + " is missing");
    }
    if (value instanceof String text) {
      return text;
    }
    throw fault(key + " must be a string");
  }

  @Nullable String stringOrNull(String key) {
    return has(key) ? string(key) : null;
  }

  /** A whole number from 1 to 2^31 - 1. */
  int positive(String key) {
    Object value = values.get(key);
    if (value == null) {
      throw fault(key + " is missing");
    }
    if (!(value instanceof Long number)) {
      throw fault(key + " must be a number");
    }
    if (number < 1 || number > Integer.MAX_VALUE) {
      throw fault(key + " must be at least 1 and below 2^31, but is " + number);
    }
    return number.intValue();
  }

  int positive(String key, int absent) {
    return has(key) ? positive(key) : absent;
  }

  double real(String key) {
    Object value = values.get(key);
    if (value == null) {
      throw fault(key + " is missing");
    }
    double number =
        switch (value) {
          case Double real -> real;
          case Long whole -> whole;
          default -> throw fault(key + " must be a number");
        };
    if (!(number > 0) || Double.isInfinite(number)) {
      throw fault(key + " must be a positive number, but is " + number);
    }
    return number;
  }

  double real(String key, double absent) {
    return has(key) ? real(key) : absent;
  }

  @Nullable Boolean boolOrNull(String key) {
    Object value = values.get(key);
    if (value == null) {
      return null;
    }
    if (value instanceof Boolean flag) {
      return flag;
    }
    throw fault(key + " must be a boolean");
  }

  /** A token id below {@code vocabulary}, or -1 if absent. */
  int token(String key, int vocabulary) {
    Object value = values.get(key);
    if (value == null) {
      return -1;
    }
    if (!(value instanceof Long id) || id < 0 || id >= vocabulary) {
      throw fault(key + " " + value + " is outside the vocabulary of " + vocabulary + " tokens");
    }
    return id.intValue();
  }

  @Nullable List<String> strings(String key) {
    List<?> list = list(key);
    if (list == null) {
      return null;
    }
    for (Object element : list) {
      if (!(element instanceof String)) {
        throw fault(key + " must be an array of strings");
      }
    }
    return list.stream().map(String.class::cast).toList();
  }

  float @Nullable [] floats(String key) {
    List<?> list = list(key);
    if (list == null) {
      return null;
    }
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      if (!(list.get(i) instanceof Double number)) {
        throw fault(key + " must be an array of numbers");
      }
      values[i] = number.floatValue();
    }
    return values;
  }

  int @Nullable [] ints(String key) {
    List<?> list = list(key);
    if (list == null) {
      return null;
    }
    int[] values = new int[list.size()];
    for (int i = 0; i < values.length; i++) {
      if (!(list.get(i) instanceof Long number)) {
        throw fault(key + " must be an array of whole numbers");
      }
      values[i] = number.intValue();
    }
    return values;
  }

  private @Nullable List<?> list(String key) {
    Object value = values.get(key);
    if (value == null) {
      return null;
    }
    if (value instanceof List<?> list) {
      return list;
    }
    throw fault(key + " must be an array");
  }

  MalformedFileException fault(String what) {
    return new MalformedFileException(path, what);
  }
}
