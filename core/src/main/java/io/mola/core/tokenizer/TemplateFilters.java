package io.mola.core.tokenizer;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import org.jspecify.annotations.Nullable;

/** Filters in which the template engine differs from the original. */
final class TemplateFilters {
  private TemplateFilters() {}

  /** {@code trim}: white space as Python knows it. */
  static final class Trim implements Filter {
    @Override
    public String getName() {
      return "trim";
    }

    @Override
    public @Nullable Object filter(
        @Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
      if (arguments.length > 0) {
        throw new TemplateFunctions.Refusal("trim with an argument is not supported");
      }
      return value == null ? null : PythonText.strip(value.toString());
    }
  }

  /** {@code tojson}: order and form of what it writes were not compared. */
  static final class ToJson implements Filter {
    @Override
    public String getName() {
      return "tojson";
    }

    @Override
    public @Nullable Object filter(
        @Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
      throw new TemplateFunctions.Refusal("tojson is not supported");
    }
  }
}
