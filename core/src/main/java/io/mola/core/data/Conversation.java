package io.mola.core.data;

import io.mola.core.data.Turns.Kind;
import io.mola.core.data.Turns.Piece;
import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.ChatMessage;
import io.mola.core.tokenizer.ChatTemplate;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts a rendered conversation into what is given and what the assistant says.
 *
 * <p>The conversation before an assistant turn, rendered with the generation prompt, must be a
 * prefix of the whole conversation, and the answer must follow it as it is (or without outer white
 * space). Where a template rewrites earlier turns this does not hold, a mask made from lengths
 * would be wrong, and the example is refused. What belongs to the turn behind the answer, the
 * end-of-turn token, is what the whole has in common with the conversation that ends with this
 * turn: some templates write more at the end of a conversation than between turns.
 */
final class Conversation {
  private static final String ASSISTANT = "assistant";

  private final ChatTemplate template;
  private final List<ChatMessage> messages;
  private final String origin;
  private final String whole;
  private final List<Piece> pieces = new ArrayList<>();
  private int done;

  private Conversation(ChatTemplate template, List<ChatMessage> messages, String origin) {
    this.template = template;
    this.messages = messages;
    this.origin = origin;
    whole = template.render(messages, false);
  }

  static Turns turns(ChatTemplate template, List<ChatMessage> messages, String origin) {
    if (messages.stream().noneMatch(m -> m.role().equals(ASSISTANT))) {
      throw new UsageException(origin + ": no message of the role assistant, so nothing to learn");
    }
    if (messages.getFirst().role().equals(ASSISTANT)) {
      throw new UsageException(origin + ": the conversation begins with the assistant");
    }
    try {
      Conversation conversation = new Conversation(template, messages, origin);
      for (int i = 0; i < messages.size(); i++) {
        if (messages.get(i).role().equals(ASSISTANT)) {
          conversation.addTurn(i);
        }
      }
      return new Turns(conversation.pieces);
    } catch (UsageException e) {
      String message = String.valueOf(e.getMessage());
      throw message.startsWith(origin) ? e : new UsageException(origin + ": " + message, e);
    }
  }

  private void addTurn(int index) {
    String before = template.render(messages.subList(0, index), true);
    if (before.length() < done || !whole.startsWith(before)) {
      throw new UsageException(
          origin
              + ": the chat template renders what comes before message "
              + (index + 1)
              + " otherwise than within the whole conversation, so the answer's place is not"
              + " certain; split the conversation into examples with one answer each");
    }
    String answer = answerAt(before.length(), messages.get(index).content());
    int end = before.length() + answer.length();
    String ending =
        index + 1 == messages.size()
            ? whole
            : template.render(messages.subList(0, index + 1), false);
    int turnEnd = commonPrefix(ending, whole);
    if (turnEnd < end) {
      throw altered();
    }
    pieces.add(new Piece(Kind.TEMPLATE, before.substring(done)));
    pieces.add(new Piece(Kind.ANSWER, answer));
    pieces.add(new Piece(Kind.TURN_END, whole.substring(end, turnEnd)));
    done = turnEnd;
  }

  private String answerAt(int place, String content) {
    for (String candidate : List.of(content, content.strip())) {
      if (whole.startsWith(candidate, place)) {
        return candidate;
      }
    }
    throw altered();
  }

  private UsageException altered() {
    return new UsageException(
        origin + ": the chat template alters an assistant's answer, so its place is not certain");
  }

  private static int commonPrefix(String a, String b) {
    int end = Math.min(a.length(), b.length());
    int i = 0;
    while (i < end && a.charAt(i) == b.charAt(i)) {
      i++;
    }
    return i;
  }
}
