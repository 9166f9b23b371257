package io.mola.perf.machine;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Arguments {@code --name value}, or {@code --quick} alone. */
public final class Arguments {
  private static final String FLAG = "quick";

  private final Map<String, String> values;

  private Arguments(Map<String, String> values) {
    this.values = values;
  }

  /**
   * Reads them.
   *
   * @throws IllegalArgumentException if a name is not known or a value is missing
   */
  public static Arguments parse(String[] args, String... names) {
    Map<String, String> values = new HashMap<>();
    for (int i = 0; i < args.length; i++) {
      String name = args[i].startsWith("--") ? args[i].substring(2) : "";
      if (!List.of(names).contains(name)) {
        throw new IllegalArgumentException(args[i] + " is none of --" + String.join(", --", names));
      }
      if (name.equals(FLAG)) {
        values.put(name, "");
      } else if (i + 1 < args.length) {
        values.put(name, args[++i]);
      } else {
        throw new IllegalArgumentException("no value after " + args[i]);
      }
    }
    return new Arguments(values);
  }

  /** Whether it was given. */
  public boolean has(String name) {
    return values.containsKey(name);
  }

  /** Its value. */
  public String text(String name, String otherwise) {
    return values.getOrDefault(name, otherwise);
  }

  /** Its value, a whole number. */
  public int number(String name, int otherwise) {
    return Integer.parseInt(text(name, String.valueOf(otherwise)));
  }
}
