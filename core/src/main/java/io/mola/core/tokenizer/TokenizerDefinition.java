package io.mola.core.tokenizer;

import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer as described by a model's files, before the native library sees it.
 *
 * @param origin file, for messages
 * @param json text of a tokenizer.json; made anew at each call, since it is large and seldom needed
 * @param bos begin token
 * @param eos end token
 * @param addsBos whether the begin token comes first; null where only the tokenizer.json says
 * @param stops further ids at which generation ends
 * @param chatTemplate Jinja text, or null
 */
record TokenizerDefinition(
    String origin,
    Supplier<String> json,
    Special bos,
    Special eos,
    @Nullable Boolean addsBos,
    List<Integer> stops,
    @Nullable String chatTemplate) {

  /**
   * A token known by its id, by its text, or not at all.
   *
   * @param name key in the file, for messages
   * @param id token id, or -1
   * @param content its text where the id is not known, or null
   */
  record Special(String name, int id, @Nullable String content) {}
}
