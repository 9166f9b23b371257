package io.mola.core.tokenizer;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the tokenizer of a checkpoint folder: tokenizer.json as it is, or else tokenizer.model;
 * what else there is to know from tokenizer_config.json, special_tokens_map.json,
 * generation_config.json and config.json.
 */
final class FolderTokenizer {
  private static final JsonMapper MAPPER = JsonMapper.shared();

  private final Path folder;
  private final JsonNode tokenizerConfig;
  private final JsonNode config;

  private FolderTokenizer(Path folder) {
    this.folder = folder;
    tokenizerConfig = readJson("tokenizer_config.json");
    config = readJson("config.json");
  }

  static TokenizerDefinition read(Path folder) {
    return new FolderTokenizer(folder).definition();
  }

  private TokenizerDefinition definition() {
    Path json = folder.resolve("tokenizer.json");
    Path model = folder.resolve("tokenizer.model");
    boolean fromModel = !Files.exists(json);
    Path file = fromModel ? model : json;
    if (!Files.exists(file)) {
      throw new UsageException(
          folder + ": no tokenizer.json and no tokenizer.model; copy the model's own beside it");
    }
    Supplier<String> text = fromModel ? modelAsJson(model) : () -> readText(json);
    JsonNode map = readJson("special_tokens_map.json");
    return new TokenizerDefinition(
        file.toString(),
        text,
        special("bos_token", map, fromModel ? "<s>" : null),
        special("eos_token", map, fromModel ? "</s>" : null),
        addsBos(fromModel),
        stops(),
        chatTemplate());
  }

  private @Nullable Boolean addsBos(boolean fromModel) {
    JsonNode stated = tokenizerConfig.path("add_bos_token");
    if (stated.isBoolean()) {
      return stated.booleanValue();
    }
    return fromModel ? Boolean.TRUE : null;
  }

  private TokenizerDefinition.Special special(
      String name, JsonNode map, @Nullable String fallback) {
    for (JsonNode from : List.of(tokenizerConfig, map)) {
      String content = contentOf(from.path(name));
      if (content != null) {
        return new TokenizerDefinition.Special(name, -1, content);
      }
    }
    JsonNode ids = config.path(name + "_id");
    int id = (ids.isArray() ? ids.path(0) : ids).asInt(-1);
    return new TokenizerDefinition.Special(name, id, id < 0 ? fallback : null);
  }

  private List<Integer> stops() {
    List<Integer> stops = new ArrayList<>();
    for (JsonNode from : List.of(readJson("generation_config.json"), config)) {
      JsonNode eos = from.path("eos_token_id");
      if (eos.isInt()) {
        stops.add(eos.intValue());
      }
      for (JsonNode id : eos) {
        if (id.isInt()) {
          stops.add(id.intValue());
        }
      }
    }
    return stops;
  }

  private @Nullable String chatTemplate() {
    Path file = folder.resolve("chat_template.jinja");
    if (Files.exists(file)) {
      return readText(file);
    }
    JsonNode template = tokenizerConfig.path("chat_template");
    if (template.isString()) {
      return template.stringValue();
    }
    for (JsonNode named : template) {
      if (named.path("name").asString("").equals("default")) {
        return named.path("template").asString("");
      }
    }
    return null;
  }

  private Supplier<String> modelAsJson(Path model) {
    // What transformers calls legacy is SentencePiece's own way; absent means legacy.
    boolean prefixOnlyAtStart = !tokenizerConfig.path("legacy").asBoolean(true);
    SentencePieceVocabulary pieces =
        SentencePieceModel.read(model, readBytes(model), prefixOnlyAtStart);
    List<AddedToken> added = added(pieces);
    return () -> TokenizerJsonWriter.of(pieces, added);
  }

  private List<AddedToken> added(SentencePieceVocabulary pieces) {
    List<AddedToken> added = new ArrayList<>();
    for (int id = 0; id < pieces.pieces().size(); id++) {
      int type = pieces.types()[id];
      if (type == SentencePieceVocabulary.CONTROL || type == SentencePieceVocabulary.UNKNOWN) {
        added.add(new AddedToken(id, pieces.entry(id), true));
      } else if (type == SentencePieceVocabulary.USER_DEFINED) {
        added.add(new AddedToken(id, pieces.entry(id), false));
      }
    }
    List<AddedToken> extra = new ArrayList<>();
    for (Map.Entry<String, JsonNode> entry :
        tokenizerConfig.path("added_tokens_decoder").properties()) {
      int id = parseId(entry.getKey());
      if (id >= pieces.pieces().size()) {
        JsonNode token = entry.getValue();
        extra.add(
            new AddedToken(
                id, token.path("content").asString(""), token.path("special").asBoolean(false)));
      }
    }
    for (Map.Entry<String, JsonNode> entry : readJson("added_tokens.json").properties()) {
      int id = entry.getValue().asInt(-1);
      if (id >= pieces.pieces().size() && extra.stream().noneMatch(t -> t.id() == id)) {
        extra.add(new AddedToken(id, entry.getKey(), true));
      }
    }
    extra.sort(Comparator.comparingInt(AddedToken::id));
    added.addAll(extra);
    return added;
  }

  private int parseId(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new MalformedFileException(
          folder.resolve("tokenizer_config.json"),
          "added_tokens_decoder: \"" + text + "\" is not a token id",
          e);
    }
  }

  private static @Nullable String contentOf(JsonNode token) {
    if (token.isString()) {
      return token.stringValue();
    }
    JsonNode content = token.path("content");
    return content.isString() ? content.stringValue() : null;
  }

  private JsonNode readJson(String name) {
    Path file = folder.resolve(name);
    if (!Files.exists(file)) {
      return MAPPER.createObjectNode();
    }
    try {
      return MAPPER.readTree(readText(file));
    } catch (JacksonException e) {
      throw new MalformedFileException(
          file, "line " + e.getLocation().getLineNr() + ": not JSON: " + e.getOriginalMessage(), e);
    }
  }

  private static String readText(Path file) {
    try {
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new MalformedFileException(file, "not UTF-8", e);
    } catch (IOException e) {
      throw new MolaException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static byte[] readBytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new MolaException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
