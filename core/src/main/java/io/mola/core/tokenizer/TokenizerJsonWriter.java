package io.mola.core.tokenizer;

import java.io.StringWriter;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.json.JsonMapper;

/** Writes vocabularies of other formats as the text of a tokenizer.json. */
final class TokenizerJsonWriter {
  private static final JsonMapper MAPPER = JsonMapper.shared();

  private static final String BYTE_LEVEL_DECODER =
      """
      {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}\
      """;

  private final StringWriter text = new StringWriter(1 << 20);
  private final JsonGenerator json = MAPPER.createGenerator(text);

  private TokenizerJsonWriter() {}

  /** A SentencePiece BPE vocabulary. */
  static String of(SentencePieceVocabulary v, List<AddedToken> added) {
    TokenizerJsonWriter w = new TokenizerJsonWriter();
    w.begin(added);
    w.raw("normalizer", sentencePieceNormalizer(v));
    w.raw(
        "pre_tokenizer",
        v.dummyPrefix() && v.prefixOnlyAtStart()
            ? """
            {"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":false}\
            """
            : "null");
    w.raw("post_processor", "null");
    w.raw("decoder", sentencePieceDecoder(v));
    int unknown = indexOf(v.types(), SentencePieceVocabulary.UNKNOWN);
    w.beginModel(unknown < 0 ? null : v.entry(unknown), v.byteFallback(), false);
    w.vocabulary(v.pieces().size(), v::entry);
    w.json.writeArrayPropertyStart("merges");
    for (SentencePieceVocabulary.Merge merge : v.merges()) {
      w.merge(v.pieces().get(merge.left()), v.pieces().get(merge.right()));
    }
    return w.end();
  }

  /**
   * A byte-level BPE vocabulary.
   *
   * @param merges two pieces with a space between, best first
   */
  static String of(
      PreTokenizer pre, List<String> pieces, List<String> merges, List<AddedToken> added) {
    TokenizerJsonWriter w = new TokenizerJsonWriter();
    w.begin(added);
    w.raw("normalizer", pre.composes() ? "{\"type\":\"NFC\"}" : "null");
    w.splits(pre);
    w.raw("post_processor", "null");
    w.raw("decoder", BYTE_LEVEL_DECODER);
    w.beginModel(null, false, pre.ignoresMerges());
    w.vocabulary(pieces.size(), pieces::get);
    w.json.writeArrayPropertyStart("merges");
    for (String merge : merges) {
      int space = merge.indexOf(' ', 1);
      if (space < 0) {
        throw new IllegalArgumentException("merge \"" + merge + "\" is not two pieces");
      }
      w.merge(merge.substring(0, space), merge.substring(space + 1));
    }
    return w.end();
  }

  private static String sentencePieceNormalizer(SentencePieceVocabulary v) {
    StringBuilder steps = new StringBuilder();
    if (v.characterMap() != null) {
      steps
          .append("{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"")
          .append(v.characterMap())
          .append("\"},");
    }
    if (v.collapsesSpaces()) {
      steps.append(
          """
          {"type":"Replace","pattern":{"Regex":"\\\\A +| +\\\\z"},"content":""},
          {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},
          """);
    }
    if (v.dummyPrefix() && !v.prefixOnlyAtStart()) {
      steps.append(
          """
          {"type":"Prepend","prepend":"\u2581"},\
          """);
    }
    steps.append(
        """
        {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}\
        """);
    return "{\"type\":\"Sequence\",\"normalizers\":[" + steps + "]}";
  }

  private static String sentencePieceDecoder(SentencePieceVocabulary v) {
    return """
    {"type":"Sequence","decoders":[
    {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
    {"type":"ByteFallback"},{"type":"Fuse"}\
    """
        + (v.dummyPrefix() ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "")
        + "]}";
  }

  private void begin(List<AddedToken> added) {
    json.writeStartObject();
    raw("version", "\"1.0\"");
    raw("truncation", "null");
    raw("padding", "null");
    json.writeArrayPropertyStart("added_tokens");
    for (AddedToken token : added) {
      json.writeStartObject();
      json.writeNumberProperty("id", token.id());
      json.writeStringProperty("content", token.content());
      json.writeBooleanProperty("single_word", false);
      json.writeBooleanProperty("lstrip", false);
      json.writeBooleanProperty("rstrip", false);
      json.writeBooleanProperty("normalized", false);
      json.writeBooleanProperty("special", token.special());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void splits(PreTokenizer pre) {
    json.writeObjectPropertyStart("pre_tokenizer");
    json.writeStringProperty("type", "Sequence");
    json.writeArrayPropertyStart("pretokenizers");
    for (String pattern : pre.patterns()) {
      json.writeStartObject();
      json.writeStringProperty("type", "Split");
      json.writeObjectPropertyStart("pattern");
      json.writeStringProperty("Regex", pattern);
      json.writeEndObject();
      json.writeStringProperty("behavior", "Isolated");
      json.writeBooleanProperty("invert", false);
      json.writeEndObject();
    }
    json.writeRawValue(BYTE_LEVEL_DECODER);
    json.writeEndArray();
    json.writeEndObject();
  }

  private void beginModel(@Nullable String unknown, boolean byteFallback, boolean ignoreMerges) {
    json.writeObjectPropertyStart("model");
    json.writeStringProperty("type", "BPE");
    raw("dropout", "null");
    if (unknown == null) {
      raw("unk_token", "null");
    } else {
      json.writeStringProperty("unk_token", unknown);
    }
    raw("continuing_subword_prefix", "null");
    raw("end_of_word_suffix", "null");
    json.writeBooleanProperty("fuse_unk", unknown != null);
    json.writeBooleanProperty("byte_fallback", byteFallback);
    json.writeBooleanProperty("ignore_merges", ignoreMerges);
  }

  /** Of two equal pieces the first counts. */
  private void vocabulary(int size, IntFunction<String> piece) {
    Set<String> seen = new HashSet<>(2 * size);
    json.writeObjectPropertyStart("vocab");
    for (int id = 0; id < size; id++) {
      if (seen.add(piece.apply(id))) {
        json.writeNumberProperty(piece.apply(id), id);
      }
    }
    json.writeEndObject();
  }

  private void merge(String left, String right) {
    json.writeStartArray();
    json.writeString(left);
    json.writeString(right);
    json.writeEndArray();
  }

  /** Closes the merges, the model and the whole. */
  private String end() {
    json.writeEndArray();
    json.writeEndObject();
    json.writeEndObject();
    json.close();
    return text.toString();
  }

  private void raw(String name, String value) {
    json.writeName(name);
    json.writeRawValue(value);
  }

  private static int indexOf(int[] values, int wanted) {
    for (int i = 0; i < values.length; i++) {
      if (values[i] == wanted) {
        return i;
      }
    }
    return -1;
  }
}
