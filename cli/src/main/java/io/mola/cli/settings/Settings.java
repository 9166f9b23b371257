package io.mola.cli.settings;

import io.mola.core.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The settings of a run: command line first, then the file, then the defaults. */
public final class Settings {
  private final Map<String, Value> values = new LinkedHashMap<>();

  private record Value(Object value, String place) {}

  /**
   * Reads every given value, so that a mistake in any of them is found before anything starts.
   *
   * @throws UsageException naming the flag, or file, line and key
   */
  public Settings(List<Given> commandLine, List<Given> file) {
    collect(commandLine).forEach(values::put);
    collect(file).forEach(values::putIfAbsent);
  }

  /** The same with values for what nobody gave; they win over the keys' own defaults. */
  public Settings orElse(List<Given> otherDefaults) {
    collect(otherDefaults).forEach(values::putIfAbsent);
    return this;
  }

  private static Map<String, Value> collect(List<Given> givens) {
    Map<String, Value> values = new LinkedHashMap<>();
    for (Given given : givens) {
      Key<?> key = Keys.named(given.name()).orElseThrow();
      Value value = new Value(read(key, given), given.place());
      Value other = values.putIfAbsent(key.name(), value);
      if (other != null && !other.value().equals(value.value())) {
        throw new UsageException(
            other.place() + " and " + given.place() + " are the same setting but disagree");
      }
    }
    return values;
  }

  private static Object read(Key<?> key, Given given) {
    try {
      Object value = key.type().reader().read(given.text());
      return Keys.isInverse(given.name()) ? !(Boolean) value : value;
    } catch (UsageException e) {
      throw new UsageException(given.place() + ": " + e.getMessage(), e);
    }
  }

  /** The value given or the default, or empty if there is neither. */
  public <T> Optional<T> find(Key<T> key) {
    return given(key).or(() -> Optional.ofNullable(key.fallback()).map(key.type().reader()::read));
  }

  /** The value given by the user. */
  @SuppressWarnings("unchecked") // read by the key's own reader
  public <T> Optional<T> given(Key<T> key) {
    return Optional.ofNullable(values.get(key.name())).map(value -> (T) value.value());
  }

  /** The value given or the default of a key that has one. */
  public <T> T get(Key<T> key) {
    return find(key).orElseThrow();
  }

  /**
   * The value of a key without which the command can do nothing.
   *
   * @throws UsageException if it is missing
   */
  public <T> T require(Key<T> key) {
    return find(key)
        .orElseThrow(() -> new UsageException(key.flag() + " is missing (" + key.help() + ")"));
  }

  /** Where the value came from, for messages: place as written, or the flag for a default. */
  public String place(Key<?> key) {
    Value value = values.get(key.name());
    return value == null ? key.flag() : value.place();
  }
}
