package io.mola.core.data;

import io.mola.core.data.Turns.Kind;
import io.mola.core.data.Turns.Piece;
import io.mola.core.tokenizer.ChatMessage;
import java.util.List;

/**
 * {@code {"instruction": ..., "input": ..., "output": ...}}; {@code input} may be missing or empty.
 */
final class AlpacaFormat implements DatasetFormat {
  @Override
  public String keys() {
    return "instruction, output";
  }

  @Override
  public boolean recognises(DataRecord record) {
    return record.has("instruction") && record.has("output");
  }

  @Override
  public Example example(DataRecord record, ExampleBuilder builder) {
    String instruction = record.text("instruction");
    String input = record.find("input").orElse("");
    String output = record.text("output");
    if (builder.style() == PromptStyle.CHAT) {
      String asked = input.isEmpty() ? instruction : instruction + "\n\n" + input;
      return builder.build(
          Conversation.turns(
              builder.template(record.origin()),
              List.of(new ChatMessage("user", asked), new ChatMessage("assistant", output)),
              record.origin()),
          record.origin());
    }
    String prompt =
        builder.style() == PromptStyle.ALPACA
            ? AlpacaTemplate.prompt(instruction, input)
            : instruction + (input.isEmpty() ? "" : "\n" + input);
    return builder.build(
        new Turns(List.of(new Piece(Kind.PROMPT, prompt), new Piece(Kind.ANSWER, output))),
        record.origin());
  }
}
