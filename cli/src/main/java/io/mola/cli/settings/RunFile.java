package io.mola.cli.settings;

import io.mola.core.failure.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * The YAML file of {@code --config}: one level of keys. A list of numbers is the same as their text
 * joined by commas, a map of projections the same as {@code name=value} joined by semicolons.
 */
public final class RunFile {
  private final Path file;
  private final JsonParser parser;
  private final List<Given> givens = new ArrayList<>();

  private RunFile(Path file, JsonParser parser) {
    this.file = file;
    this.parser = parser;
  }

  /**
   * Reads the file.
   *
   * @throws UsageException naming file and line: missing, not YAML, a key that is unknown or
   *     written twice, a value of the wrong kind
   */
  public static List<Given> read(Path file) {
    if (Files.isDirectory(file)) {
      throw new UsageException(file + ": is a folder; --config takes a YAML file of settings");
    }
    if (!Files.exists(file)) {
      throw new UsageException(file + ": no such file; --config takes a YAML file of settings");
    }
    try (JsonParser parser = new YAMLMapper().createParser(file)) {
      return new RunFile(file, parser).settings();
    } catch (JacksonException e) {
      String place = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
      String fault = e.getOriginalMessage().lines().findFirst().orElse("unreadable");
      throw new UsageException(file + place + ": not valid YAML: " + fault, e);
    }
  }

  private List<Given> settings() {
    JsonToken first = parser.nextToken();
    if (first == null || first == JsonToken.VALUE_NULL) {
      return List.of();
    }
    if (first != JsonToken.START_OBJECT) {
      throw fault("expected lines of the form 'key: value'");
    }
    Set<String> seen = new HashSet<>();
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = parser.currentName();
      String key = name.replace('-', '_');
      if (Keys.named(key).isEmpty()) {
        throw fault("unknown key " + name + Nearest.hint(key, Keys.names()));
      }
      if (!seen.add(key)) {
        throw fault("key " + name + " is written twice");
      }
      String place = place() + ": " + name;
      parser.nextToken();
      givens.add(new Given(key, value(place), place));
    }
    if (parser.nextToken() != null) {
      throw fault("a second document begins; write all settings in one");
    }
    return List.copyOf(givens);
  }

  private String value(String place) {
    return switch (parser.currentToken()) {
      case START_ARRAY -> list(place);
      case START_OBJECT -> map(place);
      default -> scalar(place);
    };
  }

  private String list(String place) {
    List<String> items = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      items.add(scalar(place));
    }
    return String.join(",", items);
  }

  private String map(String place) {
    List<String> entries = new ArrayList<>();
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = parser.currentName();
      boolean isList = parser.nextToken() == JsonToken.START_ARRAY;
      entries.add(name + "=" + (isList ? list(place) : scalar(place)));
    }
    return String.join(";", entries);
  }

  private String scalar(String place) {
    if (!parser.currentToken().isScalarValue() || parser.currentToken() == JsonToken.VALUE_NULL) {
      throw new UsageException(place + ": expected a plain value");
    }
    return parser.getString();
  }

  private UsageException fault(String fault) {
    return new UsageException(place() + ": " + fault);
  }

  private String place() {
    return file + ":" + parser.currentTokenLocation().getLineNr();
  }
}
