package io.mola.core.weights;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where a model's tokenizer comes from. */
public sealed interface TokenizerSource {
  /** A checkpoint folder: tokenizer.json or tokenizer.model, and tokenizer_config.json. */
  record Folder(Path folder) implements TokenizerSource {}

  /** The model has none. */
  record None(String reason) implements TokenizerSource {}

  /**
   * A vocabulary inside a GGUF file ({@code tokenizer.ggml.*}), not interpreted.
   *
   * @param file for messages
   * @param model {@code llama} (SentencePiece) or {@code gpt2} (byte-level BPE)
   * @param pre pre-tokenizer name, for example {@code smollm}; null if the file has none
   * @param tokens pieces by id
   * @param scores SentencePiece scores by id; null if the file has none
   * @param types token types by id (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6
   *     byte); null if the file has none
   * @param merges BPE merges; null if the file has none
   * @param bos begin token or -1
   * @param eos end token or -1
   * @param eot end-of-turn token or -1
   * @param unknown unknown token or -1
   * @param pad padding token or -1
   * @param addBos whether a begin token is put first; null if the file does not say
   * @param addEos whether an end token is appended; null if the file does not say
   * @param addSpacePrefix SentencePiece's dummy prefix; null if the file does not say
   * @param chatTemplate Jinja text; null if the file has none
   */
  record Vocabulary(
      Path file,
      String model,
      @Nullable String pre,
      List<String> tokens,
      float @Nullable [] scores,
      int @Nullable [] types,
      @Nullable List<String> merges,
      int bos,
      int eos,
      int eot,
      int unknown,
      int pad,
      @Nullable Boolean addBos,
      @Nullable Boolean addEos,
      @Nullable Boolean addSpacePrefix,
      @Nullable String chatTemplate)
      implements TokenizerSource {}
}
