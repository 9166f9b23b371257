package io.mola.core.tokenizer;

import io.mola.core.failure.UsageException;
import io.mola.core.weights.TokenizerSource;

/** Makes the tokenizer of a model. */
public final class Tokenizers {
  private Tokenizers() {}

  /**
   * The tokenizer of that source, with the model's chat template.
   *
   * @throws UsageException if there is none, it is damaged, or of a kind that is not supported
   */
  public static Tokenizer of(TokenizerSource source) {
    return switch (source) {
      case TokenizerSource.Folder folder ->
          new NativeTokenizer(FolderTokenizer.read(folder.folder()));
      case TokenizerSource.Vocabulary vocabulary ->
          new NativeTokenizer(EmbeddedVocabulary.read(vocabulary));
      case TokenizerSource.None none ->
          throw new UsageException("the model has no tokenizer: " + none.reason());
    };
  }
}
