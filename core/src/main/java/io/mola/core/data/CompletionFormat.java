package io.mola.core.data;

import io.mola.core.data.Turns.Kind;
import io.mola.core.data.Turns.Piece;
import java.util.List;

/**
 * {@code {"prompt": ..., "completion": ...}}: plain text, used as it is; the end token is learnt.
 */
final class CompletionFormat implements DatasetFormat {
  @Override
  public String keys() {
    return "prompt, completion";
  }

  @Override
  public boolean recognises(DataRecord record) {
    return record.has("prompt") && record.has("completion");
  }

  @Override
  public Example example(DataRecord record, ExampleBuilder builder) {
    return builder.build(
        new Turns(
            List.of(
                new Piece(Kind.PROMPT, record.text("prompt")),
                new Piece(Kind.ANSWER, record.text("completion")))),
        record.origin());
  }
}
