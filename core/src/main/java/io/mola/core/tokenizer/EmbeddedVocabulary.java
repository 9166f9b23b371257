package io.mola.core.tokenizer;

import io.mola.core.failure.MalformedFileException;
import io.mola.core.weights.TokenizerSource.Vocabulary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/** Reads the vocabulary inside a GGUF file: what its metadata say, and llama.cpp's defaults. */
final class EmbeddedVocabulary {
  private final Vocabulary source;
  private final int[] types;

  private EmbeddedVocabulary(Vocabulary source) {
    this.source = source;
    types = source.types() == null ? allNormal(source.tokens().size()) : source.types();
    require(!source.tokens().isEmpty(), "tokenizer.ggml.tokens is empty");
    require(
        types.length == source.tokens().size(),
        "tokenizer.ggml.token_type has "
            + types.length
            + " entries for "
            + source.tokens().size()
            + " tokens");
  }

  static TokenizerDefinition read(Vocabulary source) {
    EmbeddedVocabulary vocabulary = new EmbeddedVocabulary(source);
    return switch (source.model()) {
      case "gpt2" -> vocabulary.byteLevel();
      case "llama" -> vocabulary.sentencePiece();
      default ->
          throw new MalformedFileException(
              source.file(),
              "tokenizer.ggml.model \""
                  + source.model()
                  + "\" is not supported; supported: gpt2 (byte-level BPE), llama (SentencePiece"
                  + " BPE)");
    };
  }

  private TokenizerDefinition byteLevel() {
    String name = source.pre() == null ? "default" : source.pre();
    PreTokenizer pre =
        PreTokenizer.named(name)
            .orElseThrow(() ->
                new MalformedFileException(
                    source.file(),
                    "tokenizer.ggml.pre \""
                        + name
                        + "\" is not supported; supported: "
                        + PreTokenizer.supported()));
    List<String> merges = source.merges();
    require(merges != null, "a gpt2 vocabulary needs tokenizer.ggml.merges");
    List<String> known = Objects.requireNonNull(merges);
    return definition(
        () -> TokenizerJsonWriter.of(pre, source.tokens(), known, added()), pre.addsBos());
  }

  private TokenizerDefinition sentencePiece() {
    float[] scores = source.scores();
    require(
        scores != null && scores.length == source.tokens().size(),
        "a llama vocabulary needs one tokenizer.ggml.scores entry per token");
    SentencePieceVocabulary pieces =
        new SentencePieceVocabulary(
            source.file().toString(),
            source.tokens(),
            Objects.requireNonNull(scores),
            types,
            !Boolean.FALSE.equals(source.addSpacePrefix()),
            false,
            Arrays.stream(types).anyMatch(t -> t == SentencePieceVocabulary.BYTE),
            null,
            false);
    return definition(() -> TokenizerJsonWriter.of(pieces, added()), true);
  }

  private TokenizerDefinition definition(Supplier<String> json, boolean addsBosByDefault) {
    List<Integer> stops = new ArrayList<>();
    if (source.eot() >= 0) {
      stops.add(source.eot());
    }
    return new TokenizerDefinition(
        source.file().toString(),
        json,
        new TokenizerDefinition.Special("tokenizer.ggml.bos_token_id", source.bos(), null),
        new TokenizerDefinition.Special("tokenizer.ggml.eos_token_id", source.eos(), null),
        source.addBos() == null ? addsBosByDefault : source.addBos(),
        stops,
        source.chatTemplate());
  }

  private List<AddedToken> added() {
    List<AddedToken> added = new ArrayList<>();
    for (int id = 0; id < types.length; id++) {
      String piece = source.tokens().get(id);
      switch (types[id]) {
        case SentencePieceVocabulary.CONTROL, SentencePieceVocabulary.UNKNOWN ->
            added.add(new AddedToken(id, piece, true));
        case SentencePieceVocabulary.USER_DEFINED ->
            added.add(new AddedToken(id, piece.replace(SentencePieceVocabulary.SPACE, ' '), false));
        default -> {
          // an ordinary piece
        }
      }
    }
    return added;
  }

  private void require(boolean holds, String fault) {
    if (!holds) {
      throw new MalformedFileException(source.file(), fault);
    }
  }

  private static int[] allNormal(int size) {
    int[] types = new int[size];
    Arrays.fill(types, SentencePieceVocabulary.NORMAL);
    return types;
  }
}
