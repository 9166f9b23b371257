package io.mola.core.tokenizer;

import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A tokenizer.json, read once as a stream for what the native library does not tell (pieces, added
 * tokens, whether a prefix is put before the text, fingerprint), and rewritten for the three ways
 * mola encodes. The large parts, vocabulary and merges, are never held as a tree.
 */
final class TokenizerJson {
  private static final JsonMapper MAPPER =
      // parts are read out of the middle of the text
      JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
  private static final Set<String> SMALL_PARTS =
      Set.of("normalizer", "pre_tokenizer", "post_processor", "decoder");

  private final Supplier<String> source;
  private final MessageDigest digest = TokenizerFingerprint.digest();
  private @Nullable String[] pieces = new String[1 << 10];
  private int size;
  private final List<AddedToken> added = new ArrayList<>();
  private boolean beginsWithSpecial;
  private boolean putsPrefix;
  private final String sha256;

  private TokenizerJson(Supplier<String> source) {
    this.source = source;
    String text = source.get();
    try (JsonParser parser = MAPPER.createParser(text)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IllegalArgumentException("not a JSON object");
      }
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        readPart(name, parser);
      }
    }
    for (AddedToken token : added) {
      put(token.id(), token.content());
      digest(token.id() + " " + token.special() + " " + token.content());
    }
    pieces = Arrays.copyOf(pieces, size);
    for (int id = 0; id < size; id++) {
      digest(id + " " + (pieces[id] == null ? "" : pieces[id]));
    }
    sha256 = HexFormat.of().formatHex(digest.digest());
  }

  /** Reads the text. Library exceptions on malformed JSON pass through. */
  static TokenizerJson read(Supplier<String> source) {
    return new TokenizerJson(source);
  }

  /** Vocabulary entries by id; null where an id has none. */
  @Nullable String[] pieces() {
    return pieces;
  }

  /** Added tokens in the order of the file. */
  List<AddedToken> added() {
    return added;
  }

  /** Whether the post-processor puts a special token first. */
  boolean beginsWithSpecial() {
    return beginsWithSpecial;
  }

  /** Whether a space or its like is put before the text. */
  boolean putsPrefix() {
    return putsPrefix;
  }

  /** SHA-256 over ids and pieces, merges in order, and added tokens. */
  String sha256() {
    return sha256;
  }

  /**
   * The text for one way of encoding: nothing added around it, no truncation, no padding.
   *
   * @param specialTokens whether special tokens are recognised
   * @param prefix whether the prefix is put before the text
   */
  String rewritten(boolean specialTokens, boolean prefix) {
    String text = source.get();
    StringWriter out = new StringWriter(text.length());
    try (JsonParser parser = MAPPER.createParser(text);
        JsonGenerator json = MAPPER.createGenerator(out)) {
      parser.nextToken();
      json.writeStartObject();
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = parser.currentName();
        json.writeName(name);
        parser.nextToken();
        switch (name) {
          case "truncation", "padding", "post_processor" -> {
            parser.skipChildren();
            json.writeNull();
          }
          case "added_tokens" -> json.writeTree(kept(MAPPER.readTree(parser), specialTokens));
          case "normalizer", "pre_tokenizer" -> {
            JsonNode part = MAPPER.readTree(parser);
            json.writeTree(prefix ? part : withoutPrefix(part));
          }
          case "model" -> copyModel(parser, json);
          default -> json.copyCurrentStructure(parser);
        }
      }
      json.writeEndObject();
    }
    return out.toString();
  }

  private void copyModel(JsonParser parser, JsonGenerator json) {
    json.writeStartObject();
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = parser.currentName();
      json.writeName(name);
      if (parser.nextToken() == JsonToken.START_ARRAY && name.equals("merges")) {
        copyMerges(parser, json);
      } else {
        json.copyCurrentStructure(parser);
      }
    }
    json.writeEndObject();
  }

  /** Always as pairs: the library takes {@code "a b"} only where neither piece holds a space. */
  private void copyMerges(JsonParser parser, JsonGenerator json) {
    Set<String> vocabulary = new HashSet<>(Arrays.asList(pieces));
    json.writeStartArray();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (parser.currentToken() == JsonToken.START_ARRAY) {
        json.copyCurrentStructure(parser);
        continue;
      }
      String merge = parser.getString();
      int at = splitOf(merge, vocabulary);
      json.writeStartArray();
      json.writeString(merge.substring(0, at));
      json.writeString(merge.substring(at + 1));
      json.writeEndArray();
    }
    json.writeEndArray();
  }

  /** The space that separates two pieces whose union is a piece. */
  private static int splitOf(String merge, Set<String> vocabulary) {
    int first = merge.indexOf(' ');
    if (first > 0 && first == merge.lastIndexOf(' ')) {
      return first;
    }
    for (int at = first; at >= 0; at = merge.indexOf(' ', at + 1)) {
      String left = merge.substring(0, at);
      String right = merge.substring(at + 1);
      if (vocabulary.contains(left)
          && vocabulary.contains(right)
          && vocabulary.contains(left + right)) {
        return at;
      }
    }
    throw new IllegalArgumentException("merge \"" + merge + "\" is not two pieces of a third");
  }

  private void readPart(String name, JsonParser parser) {
    if (name.equals("model")) {
      readModel(parser);
    } else if (name.equals("added_tokens")) {
      for (JsonNode token : MAPPER.readTree(parser)) {
        added.add(
            new AddedToken(
                token.path("id").asInt(-1),
                token.path("content").asString(""),
                token.path("special").asBoolean(false)));
      }
    } else if (SMALL_PARTS.contains(name)) {
      JsonNode part = MAPPER.readTree(parser);
      if (name.equals("post_processor")) {
        beginsWithSpecial = beginsWithSpecial(part);
      } else if (!name.equals("decoder")) {
        putsPrefix |= !part.equals(withoutPrefix(part));
      }
    } else {
      parser.skipChildren();
    }
  }

  private void readModel(JsonParser parser) {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw new IllegalArgumentException("\"model\" is not an object");
    }
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = parser.currentName();
      JsonToken value = parser.nextToken();
      if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
          String piece = parser.currentName();
          parser.nextToken();
          put(parser.getIntValue(), piece);
        }
      } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
        readUnigramVocabulary(parser);
      } else if (name.equals("merges") && value == JsonToken.START_ARRAY) {
        readMerges(parser);
      } else {
        parser.skipChildren();
      }
    }
  }

  private void readUnigramVocabulary(JsonParser parser) {
    for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
      parser.nextToken();
      put(id, parser.getString());
      parser.nextToken();
      digest("score " + parser.getString());
      parser.nextToken();
    }
  }

  /** Both forms: {@code "a b"} and {@code ["a", "b"]}. */
  private void readMerges(JsonParser parser) {
    for (JsonToken t = parser.nextToken(); t != JsonToken.END_ARRAY; t = parser.nextToken()) {
      if (t == JsonToken.START_ARRAY) {
        parser.nextToken();
        String left = parser.getString();
        parser.nextToken();
        digest(left + " " + parser.getString());
        parser.nextToken();
      } else {
        digest(parser.getString());
      }
    }
  }

  private void put(int id, String piece) {
    if (id < 0 || id > 1 << 24) {
      throw new IllegalArgumentException("token \"" + piece + "\" has id " + id);
    }
    if (id >= pieces.length) {
      pieces = Arrays.copyOf(pieces, Math.max(id + 1, 2 * pieces.length));
    }
    pieces[id] = piece;
    size = Math.max(size, id + 1);
  }

  private void digest(String line) {
    digest.update(line.getBytes(StandardCharsets.UTF_8));
    digest.update((byte) '\n');
  }

  private static JsonNode kept(JsonNode tokens, boolean specialTokens) {
    ArrayNode kept = MAPPER.createArrayNode();
    for (JsonNode token : tokens) {
      if (specialTokens || !token.path("special").asBoolean(false)) {
        kept.add(token);
      }
    }
    return kept;
  }

  private static boolean beginsWithSpecial(JsonNode processor) {
    for (JsonNode inner : processor.path("processors")) {
      if (beginsWithSpecial(inner)) {
        return true;
      }
    }
    return processor.path("single").path(0).has("SpecialToken");
  }

  /** The normalizer or pre-tokenizer without the steps that put something before the text. */
  private static JsonNode withoutPrefix(JsonNode part) {
    if (!(part instanceof ObjectNode)) {
      return part;
    }
    ObjectNode copy = (ObjectNode) part.deepCopy();
    switch (copy.path("type").asString("")) {
      case "Prepend" -> {
        return MAPPER.createObjectNode().put("type", "Sequence").set("normalizers", empty());
      }
      case "Metaspace" -> {
        copy.put("prepend_scheme", "never");
        if (copy.has("add_prefix_space")) {
          copy.put("add_prefix_space", false);
        }
      }
      case "ByteLevel" -> copy.put("add_prefix_space", false);
      case "Sequence" -> {
        inEach(copy, "normalizers", TokenizerJson::withoutPrefix);
        inEach(copy, "pretokenizers", TokenizerJson::withoutPrefix);
      }
      default -> {
        return part;
      }
    }
    return copy;
  }

  private static ArrayNode empty() {
    return MAPPER.createArrayNode();
  }

  private static void inEach(ObjectNode parent, String key, UnaryOperator<JsonNode> change) {
    if (parent.has(key)) {
      ArrayNode changed = MAPPER.createArrayNode();
      for (JsonNode child : parent.path(key)) {
        changed.add(change.apply(child));
      }
      parent.set(key, changed);
    }
  }
}
