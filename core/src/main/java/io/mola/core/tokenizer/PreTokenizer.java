package io.mola.core.tokenizer;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How byte-level BPE vocabularies split a text before merging, by the name GGUF files give it in
 * {@code tokenizer.ggml.pre}. The patterns are those of the models' own tokenizers; each cuts the
 * pieces that the one before has left.
 *
 * @param names in GGUF files
 * @param addsBos whether a file that does not say wants the begin token first
 * @param ignoresMerges whether a word that is in the vocabulary is taken whole
 * @param composes whether the text is brought into Unicode form C first
 * @param patterns in order; matches and what lies between them are pieces
 */
record PreTokenizer(
    List<String> names,
    boolean addsBos,
    boolean ignoresMerges,
    boolean composes,
    List<String> patterns) {
  /** llama.cpp's rule for files that name none. */
  private static final PreTokenizer DEFAULT =
      new PreTokenizer(
          List.of("default"),
          false,
          false,
          false,
          List.of(
              "[\\p{P}\\$\\+<=>\\^~\\|]+",
              Patterns.GPT2_WITHOUT_LAST,
              "\\p{N}+",
              "[0-9][0-9][0-9]"));

  /** GPT-2 and its many heirs. */
  private static final PreTokenizer GPT2 =
      new PreTokenizer(
          List.of("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion"),
          false,
          false,
          false,
          List.of(Patterns.GPT2));

  /** Every number character alone, then as GPT-2. */
  private static final PreTokenizer SMOLLM =
      new PreTokenizer(
          List.of(
              "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
          false,
          false,
          false,
          List.of("\\p{N}", Patterns.GPT2));

  /** Llama 3: numbers in threes; whole words of the vocabulary are not merged. */
  private static final PreTokenizer LLAMA3 =
      new PreTokenizer(
          List.of("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"),
          true,
          true,
          false,
          List.of(
              "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
                  + Patterns.PUNCTUATION_AND_SPACES));

  /** Qwen 2 and later: single numbers, text in composed form. */
  private static final PreTokenizer QWEN2 =
      new PreTokenizer(
          List.of("qwen2", "deepseek-r1-qwen"),
          false,
          false,
          true,
          List.of(
              "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
                  + Patterns.PUNCTUATION_AND_SPACES));

  /** DeepSeek Coder. */
  private static final PreTokenizer DEEPSEEK_CODER =
      new PreTokenizer(
          List.of("deepseek-coder"),
          true,
          false,
          false,
          List.of(
              "[\\r\\n]",
              "\\s?\\p{L}+",
              "\\s?\\p{P}+",
              "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
              "\\p{N}"));

  private static final List<PreTokenizer> ALL =
      List.of(DEFAULT, GPT2, SMOLLM, LLAMA3, QWEN2, DEEPSEEK_CODER);

  /** The one of that name. */
  static Optional<PreTokenizer> named(String name) {
    return ALL.stream().filter(p -> p.names.contains(name)).findFirst();
  }

  /** All names, for messages. */
  static String supported() {
    return ALL.stream().flatMap(p -> p.names.stream()).sorted().collect(Collectors.joining(", "));
  }

  private static final class Patterns {
    static final String GPT2_WITHOUT_LAST =
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
    static final String GPT2 = GPT2_WITHOUT_LAST + "|\\s+";
    static final String PUNCTUATION_AND_SPACES =
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  }
}
