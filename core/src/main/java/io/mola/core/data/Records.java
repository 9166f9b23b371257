package io.mola.core.data;

import io.mola.core.failure.UsageException;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the JSON objects of a file one after the other: a JSON array, or one object per line
 * (JSONL). Never the whole file at once.
 */
final class Records {
  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(tools.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private final Path file;
  private final Consumer<DataRecord> consumer;

  private Records(Path file, Consumer<DataRecord> consumer) {
    this.file = file;
    this.consumer = consumer;
  }

  /**
   * Hands every object to the consumer.
   *
   * @throws UsageException naming file and line
   */
  static void read(Path file, Consumer<DataRecord> consumer) {
    if (Files.isDirectory(file)) {
      throw new UsageException(file + ": is a folder; --data-path takes a JSON or JSONL file");
    }
    if (!Files.exists(file)) {
      throw new UsageException(file + ": no such file; --data-path takes a JSON or JSONL file");
    }
    Records records = new Records(file, consumer);
    try {
      if (records.isArray()) {
        records.readArray();
      } else {
        records.readLines();
      }
    } catch (CharacterCodingException e) {
      throw new UsageException(file + ":" + records.firstLineNotUtf8() + ": is not valid UTF-8", e);
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** Found by a second pass: the reader that stumbled was ahead of the line it returned last. */
  private int firstLineNotUtf8() {
    int number = 1;
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      for (int b = in.read(); b >= 0 && isUtf8(line, b); b = in.read()) {
        number += b == '\n' ? 1 : 0;
      }
      return number;
    } catch (IOException e) {
      throw new UsageException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** Whether the line so far is UTF-8; judged at its end, where it is emptied. */
  private static boolean isUtf8(ByteArrayOutputStream line, int next) {
    if (next != '\n') {
      line.write(next);
      return true;
    }
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line.toByteArray()));
      line.reset();
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  /** The file's text without a byte order mark. */
  private BufferedReader open() throws IOException {
    BufferedReader reader = Files.newBufferedReader(file);
    reader.mark(1);
    if (reader.read() != BYTE_ORDER_MARK) {
      reader.reset();
    }
    return reader;
  }

  private boolean isArray() throws IOException {
    try (BufferedReader reader = open()) {
      int c = reader.read();
      while (c >= 0 && Character.isWhitespace(c)) {
        c = reader.read();
      }
      return c == '[';
    }
  }

  private void readLines() throws IOException {
    try (BufferedReader reader = open()) {
      int number = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (!line.isBlank()) {
          accept(parse(line, number), number);
        }
      }
    }
  }

  private JsonNode parse(String line, int number) {
    try {
      return MAPPER.readTree(line);
    } catch (JacksonException e) {
      throw malformed(number, e);
    }
  }

  private void readArray() throws IOException {
    try (BufferedReader reader = open();
        JsonParser parser = MAPPER.createParser(reader)) {
      int line = 1;
      try {
        parser.nextToken();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          line = parser.currentTokenLocation().getLineNr();
          JsonNode node = parser.readValueAsTree();
          accept(node, line);
        }
        if (parser.nextToken() != null) {
          throw new UsageException(
              file
                  + ":"
                  + parser.currentTokenLocation().getLineNr()
                  + ": something follows the array; put all examples into it");
        }
      } catch (JacksonException e) {
        throw malformed(
            Math.max(line, e.getLocation() == null ? 0 : e.getLocation().getLineNr()), e);
      }
    }
  }

  private void accept(JsonNode node, int line) {
    String origin = file + ":" + line;
    if (!node.isObject()) {
      throw new UsageException(origin + ": must be a JSON object");
    }
    consumer.accept(new DataRecord(node, origin));
  }

  private UsageException malformed(int line, JacksonException e) {
    String message = String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse("");
    return new UsageException(file + ":" + line + ": not valid JSON: " + message, e);
  }
}
