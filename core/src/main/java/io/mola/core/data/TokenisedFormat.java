package io.mola.core.data;

/** {@code {"input_ids": [...], "labels": [...]}}: tokens made elsewhere. */
final class TokenisedFormat implements DatasetFormat {
  @Override
  public String keys() {
    return "input_ids, labels";
  }

  @Override
  public boolean recognises(DataRecord record) {
    return record.has("input_ids");
  }

  @Override
  public Example example(DataRecord record, ExampleBuilder builder) {
    int[] tokens = record.ints("input_ids");
    int[] labels = record.has("labels") ? record.ints("labels") : tokens.clone();
    if (tokens.length != labels.length) {
      throw record.fault(tokens.length + " input_ids but " + labels.length + " labels");
    }
    int vocabulary = builder.tokenizer().vocabularySize();
    for (int token : tokens) {
      requireKnown(record, token, vocabulary);
    }
    for (int label : labels) {
      if (label != Example.IGNORE) {
        requireKnown(record, label, vocabulary);
      }
    }
    return new Example(tokens, labels, record.origin());
  }

  private static void requireKnown(DataRecord record, int token, int vocabulary) {
    if (token < 0 || token >= vocabulary) {
      throw record.fault(
          "token id " + token + " is outside the vocabulary of " + vocabulary + " tokens");
    }
  }
}
