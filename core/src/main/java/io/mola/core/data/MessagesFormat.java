package io.mola.core.data;

import io.mola.core.tokenizer.ChatMessage;
import java.util.ArrayList;
import java.util.List;

/** {@code {"messages": [{"role": ..., "content": ...}, ...]}}: every assistant turn is learnt. */
final class MessagesFormat implements DatasetFormat {
  @Override
  public String keys() {
    return "messages";
  }

  @Override
  public boolean recognises(DataRecord record) {
    return record.has("messages");
  }

  @Override
  public Example example(DataRecord record, ExampleBuilder builder) {
    List<ChatMessage> messages = new ArrayList<>();
    for (DataRecord message : record.objects("messages")) {
      messages.add(new ChatMessage(message.text("role"), message.text("content")));
    }
    return builder.build(
        Conversation.turns(builder.template(record.origin()), messages, record.origin()),
        record.origin());
  }
}
