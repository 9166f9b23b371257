package io.mola.core.tokenizer;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.tree.Node;
import io.mola.core.failure.UsageException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A model's own chat template: Jinja text that turns messages into the text the model was trained
 * on, exactly as the Hugging Face library renders it.
 *
 * <p>A character more or less here makes a model worse without any error being raised. So what the
 * template engine is known to render otherwise than the original ({@link TemplateConstructs}) is
 * refused, not approximated, and an error within a rendering is an error of the whole. Text of
 * messages is data: braces in it stay as they are.
 */
public final class ChatTemplate {
  private static final Jinjava ENGINE = engine();

  private final String origin;
  private final String text;
  private final Map<String, Object> variables;
  private @Nullable Node parsed;

  /**
   * A template. It is parsed when first rendered.
   *
   * @param origin file, for messages
   * @param text Jinja text
   * @param variables what the template sees besides the messages: {@code bos_token}, {@code
   *     eos_token} and the like
   */
  public ChatTemplate(String origin, String text, Map<String, String> variables) {
    this.origin = origin;
    // Hugging Face's setting: one newline at the end is no part of the template.
    this.text = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    this.variables = new HashMap<>(variables);
  }

  /** The Jinja text, without a newline at its end. */
  public String text() {
    return text;
  }

  /**
   * The conversation as text.
   *
   * @param addGenerationPrompt whether the beginning of an assistant's answer follows
   * @throws UsageException if the template refuses the conversation (with the template's message),
   *     fails, or cannot be rendered exactly
   */
  public String render(List<ChatMessage> messages, boolean addGenerationPrompt) {
    Node template = parsed();
    TemplateConstructs.checkMessages(origin, text, messages);
    return within(
        context(messages, addGenerationPrompt), interpreter -> interpreter.render(template));
  }

  private synchronized Node parsed() {
    if (parsed == null) {
      TemplateConstructs.check(origin, text);
      parsed =
          within(
              new Context(ENGINE.getGlobalContextCopy()), interpreter -> interpreter.parse(text));
    }
    return parsed;
  }

  /** Runs the engine; its errors end the program's work, whatever text it produced besides. */
  private <T> T within(Context context, Function<JinjavaInterpreter, T> work) {
    JinjavaInterpreter fresh = new JinjavaInterpreter(ENGINE, context, ENGINE.getGlobalConfig());
    try (var current = JinjavaInterpreter.closeablePushCurrent(fresh).get()) {
      T result = work.apply(current.value());
      failOn(current.value().getErrorsCopy());
      return result;
    } catch (InterpretException e) {
      throw refusal(e, 0, e.getMessage());
    }
  }

  private Context context(List<ChatMessage> messages, boolean addGenerationPrompt) {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (ChatMessage message : messages) {
      Map<String, Object> row = new HashMap<>();
      row.put("role", message.role());
      row.put("content", message.content());
      rows.add(row);
    }
    Map<String, Object> bindings = new HashMap<>(variables);
    bindings.put("messages", rows);
    bindings.put("tools", null);
    bindings.put("documents", null);
    bindings.put("add_generation_prompt", addGenerationPrompt);
    return new Context(ENGINE.getGlobalContextCopy(), bindings);
  }

  private void failOn(List<TemplateError> errors) {
    if (!errors.isEmpty()) {
      TemplateError error = errors.getFirst();
      throw refusal(error.getException(), error.getLineno(), error.getMessage());
    }
  }

  private UsageException refusal(@Nullable Throwable cause, int line, @Nullable String message) {
    for (Throwable t = cause; t != null; t = t.getCause()) {
      if (t instanceof TemplateFunctions.Refusal refusal) {
        return new UsageException(
            origin + ": chat template refuses the conversation: " + refusal.getMessage(), refusal);
      }
    }
    String reason = String.valueOf(message).lines().findFirst().orElse("");
    String text = origin + ": chat template, line " + line + ": " + reason;
    return cause == null ? new UsageException(text) : new UsageException(text, cause);
  }

  private static Jinjava engine() {
    Jinjava engine =
        new Jinjava(
            JinjavaConfig.newBuilder()
                .withTrimBlocks(true)
                .withLstripBlocks(true)
                .withKeepTrailingNewline(true)
                .withNestedInterpretationEnabled(false)
                .withLegacyOverrides(
                    LegacyOverrides.newBuilder()
                        .withUseTrimmingForNotesAndExpressions(true)
                        .withEvaluateMapKeys(true)
                        .withIterateOverMapKeys(true)
                        .withUsePyishObjectMapper(true)
                        .withParseWhitespaceControlStrictly(true)
                        .withAllowAdjacentTextNodes(true)
                        .withKeepNullableLoopValues(true)
                        .withHandleBackslashInQuotesOnly(true)
                        .build())
                .build());
    engine
        .getGlobalContext()
        .registerFunction(
            new ELFunctionDefinition(
                "", "raise_exception", TemplateFunctions.class, "raiseException", String.class));
    engine
        .getGlobalContext()
        .registerFunction(
            new ELFunctionDefinition(
                "", "strftime_now", TemplateFunctions.class, "strftimeNow", String.class));
    engine.registerFilter(new TemplateFilters.Trim());
    engine.registerFilter(new TemplateFilters.ToJson());
    return engine;
  }
}
