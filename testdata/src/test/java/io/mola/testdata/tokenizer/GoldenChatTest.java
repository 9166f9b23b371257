package io.mola.testdata.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mola.core.failure.UsageException;
import io.mola.core.tokenizer.ChatMessage;
import io.mola.core.tokenizer.ChatTemplate;
import io.mola.testdata.Fixtures;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Chat templates of real models against what the original library renders. */
class GoldenChatTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "smollm2",
        "chatml",
        "llama-3",
        "phi-3.5",
        "tinyllama",
        "deepseek-r1-distill",
        "llama-3.1",
        "qwen2.5",
        "mistral-nemo",
        "gemma-2",
        "hermes-2-pro-chatml"
      })
  void renderingsAreEqualToTheCharacter(String name) {
    JsonNode golden = Fixtures.json("golden/chat/" + name + ".json");
    ChatTemplate template = template(golden);
    SoftAssertions softly = new SoftAssertions();
    int compared = 0;
    for (JsonNode entry : golden.path("cases")) {
      String conversation = entry.path("conversation").stringValue();
      if (conversation.startsWith("tools-")) {
        continue;
      }
      compared++;
      String expected =
          entry.has("output")
              ? entry.path("output").stringValue()
              : entry.path("error").path("message").stringValue();
      String rendered;
      try {
        rendered =
            template.render(
                messages(conversation), entry.path("add_generation_prompt").booleanValue());
      } catch (UsageException e) {
        rendered = String.valueOf(e.getMessage()).replaceFirst(".*refuses the conversation: ", "");
      }
      softly.assertThat(rendered).as(conversation).isEqualTo(expected);
    }
    softly.assertAll();
    assertThat(compared).isEqualTo(30);
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen3", "command-r7b"})
  void aTemplateTheEngineCannotRenderIsRefused(String name) {
    ChatTemplate template = template(Fixtures.json("golden/chat/" + name + ".json"));
    assertThatThrownBy(() -> template.render(messages("one-turn"), true))
        .isInstanceOf(UsageException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for m in messages %}{% break %}{% endfor %}",
        "{% include 'x' %}",
        "{{ messages | groupby('role') }}",
        "{{ messages[0].content.title() }}",
        "{{ messages[0].content.split('|')[0] }}",
        "{{ messages | tojson }}"
      })
  void aConstructThatWasNeverComparedIsRefused(String text) {
    ChatTemplate template = new ChatTemplate("t", text, Map.of());
    List<ChatMessage> messages = List.of(new ChatMessage("user", "hi"));
    assertThatThrownBy(() -> template.render(messages, true))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("t: chat template");
  }

  @Test
  void aRefusalCarriesTheTemplatesOwnMessage() {
    ChatTemplate gemma = template(Fixtures.json("golden/chat/gemma-2.json"));
    assertThatThrownBy(() -> gemma.render(messages("system-and-turns"), false))
        .hasMessageEndingWith("System role not supported");
  }

  static ChatTemplate template(JsonNode golden) {
    Map<String, String> variables = new HashMap<>();
    golden
        .path("variables")
        .properties()
        .forEach(e -> variables.put(e.getKey(), e.getValue().asString("")));
    return new ChatTemplate(
        golden.path("name").stringValue(), golden.path("template").stringValue(), variables);
  }

  static List<ChatMessage> messages(String conversation) {
    List<ChatMessage> messages = new ArrayList<>();
    for (JsonNode c : Fixtures.json("golden/chat/conversations.json").path("conversations")) {
      if (c.path("name").stringValue().equals(conversation)) {
        for (JsonNode m : c.path("messages")) {
          messages.add(
              new ChatMessage(m.path("role").stringValue(), m.path("content").stringValue()));
        }
      }
    }
    return messages;
  }
}
