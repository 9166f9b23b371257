package io.mola.core.data;

import io.mola.core.failure.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * One JSON object of a data set, with its place for messages.
 *
 * @param node the object
 * @param origin {@code file:line}
 */
record DataRecord(JsonNode node, String origin) {

  boolean has(String key) {
    return node.has(key);
  }

  /** A string that must be there. */
  String text(String key) {
    return find(key).orElseThrow(() -> fault("key " + key + " is missing"));
  }

  Optional<String> find(String key) {
    JsonNode value = node.get(key);
    if (value == null || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isString()) {
      throw fault("key " + key + " must be a string");
    }
    return Optional.of(value.asString());
  }

  int[] ints(String key) {
    JsonNode array = node.get(key);
    if (array == null || !array.isArray()) {
      throw fault("key " + key + " must be an array of whole numbers");
    }
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      if (!array.get(i).isIntegralNumber() || !array.get(i).canConvertToInt()) {
        throw fault("key " + key + " must be an array of whole numbers");
      }
      values[i] = array.get(i).asInt();
    }
    return values;
  }

  /** The objects of an array that must be there and not be empty. */
  List<DataRecord> objects(String key) {
    JsonNode array = node.get(key);
    if (array == null || !array.isArray() || array.isEmpty()) {
      throw fault("key " + key + " must be an array with at least one element");
    }
    List<DataRecord> records = new ArrayList<>();
    for (JsonNode element : array) {
      if (!element.isObject()) {
        throw fault("elements of " + key + " must be objects");
      }
      records.add(new DataRecord(element, origin));
    }
    return records;
  }

  UsageException fault(String what) {
    return new UsageException(origin + ": " + what);
  }
}
