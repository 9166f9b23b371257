package io.mola.core.tokenizer;

import io.mola.core.failure.UsageException;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Constructs whose rendering was compared with the original library's. A template with any other is
 * refused when it is loaded; one whose result depends on a conversation of a certain kind refuses
 * that conversation.
 */
final class TemplateConstructs {
  private static final Set<String> TAGS =
      Set.of("for", "endfor", "if", "elif", "else", "endif", "set", "endset", "macro", "endmacro");
  private static final Set<String> FILTERS =
      Set.of(
          "trim",
          "length",
          "list",
          "selectattr",
          "reject",
          "join",
          "items",
          "string",
          "tojson",
          "first",
          "last",
          "upper",
          "lower",
          "default");
  private static final Set<String> METHODS =
      Set.of(
          "split",
          "strip",
          "lstrip",
          "rstrip",
          "startswith",
          "endswith",
          "items",
          "keys",
          "values",
          "get",
          "upper",
          "lower");
  private static final Set<String> TOOL_ROLES =
      Set.of("tool", "tool_results", "ipython", "function");

  private static final Pattern COMMENT = Pattern.compile("\\{#.*?#\\}", Pattern.DOTALL);
  private static final Pattern CODE = Pattern.compile("\\{[{%](.*?)[%}]\\}", Pattern.DOTALL);
  private static final Pattern TAG = Pattern.compile("\\{%[-+]?\\s*(\\w+)");
  private static final Pattern STRING =
      Pattern.compile("'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"", Pattern.DOTALL);
  private static final Pattern FILTER = Pattern.compile("\\|\\s*(\\w+)");
  private static final Pattern METHOD = Pattern.compile("\\.\\s*(\\w+)\\s*\\(");
  private static final Pattern SPLIT =
      Pattern.compile("\\.split\\(\\s*(?:'([^'\\\\]*)'|\"([^\"\\\\]*)\"|([^)]*))\\s*\\)");
  private static final Pattern REGEX_CHARACTER = Pattern.compile("[\\\\\\[\\]{}()*+?.^$|]");

  private TemplateConstructs() {}

  /** Refuses a template with a construct that was never compared. */
  static void check(String origin, String template) {
    String text = COMMENT.matcher(template).replaceAll("");
    refuseOthers(origin, "tag", TAG.matcher(text), TAGS);
    Matcher code = CODE.matcher(text);
    while (code.find()) {
      String bare = STRING.matcher(code.group(1)).replaceAll("''");
      refuseOthers(origin, "filter", FILTER.matcher(bare), FILTERS);
      refuseOthers(origin, "method", METHOD.matcher(bare), METHODS);
    }
    Matcher split = SPLIT.matcher(text);
    while (split.find()) {
      String separator = separator(split);
      if (separator == null || REGEX_CHARACTER.matcher(separator).find()) {
        throw refusal(origin, "split(" + split.group() + ")");
      }
    }
  }

  /** Refuses a conversation that this template is known to render otherwise than the original. */
  static void checkMessages(String origin, String template, List<ChatMessage> messages) {
    if (messages.isEmpty()) {
      int first = template.indexOf("messages[");
      int loop = template.indexOf("for message in");
      if (first >= 0 && (loop < 0 || first < loop)) {
        throw new UsageException(
            origin + ": chat template refuses the conversation: list object has no element 0");
      }
    }
    for (ChatMessage message : messages) {
      if (TOOL_ROLES.contains(message.role()) && template.contains("tool")) {
        throw refusal(origin, "a message of role \"" + message.role() + "\"");
      }
      Matcher split = SPLIT.matcher(template);
      while (split.find()) {
        String separator = separator(split);
        if (separator != null && message.content().endsWith(separator)) {
          throw refusal(origin, "a message that ends in \"" + separator + "\"");
        }
      }
      if (template.contains("strip(") && !PythonText.stripsAsJava(message.content())) {
        throw refusal(origin, "a message with a no-break space at its edge");
      }
    }
  }

  private static @Nullable String separator(Matcher split) {
    return split.group(1) != null ? split.group(1) : split.group(2);
  }

  private static void refuseOthers(String origin, String kind, Matcher matcher, Set<String> known) {
    while (matcher.find()) {
      if (!known.contains(matcher.group(1))) {
        throw refusal(origin, kind + " \"" + matcher.group(1) + "\"");
      }
    }
  }

  private static UsageException refusal(String origin, String what) {
    return new UsageException(
        origin
            + ": chat template: "
            + what
            + " cannot be rendered exactly; give the text as prompt and completion instead");
  }
}
