package io.mola.cli;

import io.mola.cli.settings.Given;
import io.mola.cli.settings.Key;
import io.mola.cli.settings.Key.Alias;
import io.mola.cli.settings.Key.Section;
import io.mola.cli.settings.ValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Stack;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The flags of the keys. All are read as text: the key's own reader judges the value, in the same
 * words as for the file. Aliases are flags that the help does not show.
 */
final class KeyFlags {
  private static final String CONFIG = "--config";

  private KeyFlags() {}

  /** Adds the flags under the headings of their sections, and {@code --config}. */
  static void add(CommandSpec spec, List<Key<?>> keys) {
    if (keys.isEmpty()) {
      return;
    }
    spec.addOption(
        OptionSpec.builder(CONFIG)
            .type(String.class)
            .paramLabel("FILE")
            .description("YAML file with the same keys in snake_case; flags win over it.")
            .build());
    for (Section section : Section.values()) {
      List<Key<?>> members = keys.stream().filter(key -> key.section() == section).toList();
      if (!members.isEmpty()) {
        ArgGroupSpec.Builder group =
            ArgGroupSpec.builder()
                .heading("%n" + section.heading() + "%n")
                .validate(false)
                .order(spec.argGroups().size());
        members.forEach(key -> addTo(group, key));
        spec.addArgGroup(group.build());
      }
    }
  }

  private static void addTo(ArgGroupSpec.Builder group, Key<?> key) {
    String help = key.help() + (key.fallback() == null ? "" : " (" + key.fallback() + ")");
    group.addArg(option(key, key.flag()).description(help.replace("%", "%%")).build());
    for (Alias alias : key.aliases()) {
      group.addArg(option(key, alias.flag()).hidden(true).build());
    }
  }

  private static OptionSpec.Builder option(Key<?> key, String flag) {
    OptionSpec.Builder option =
        OptionSpec.builder(flag).type(String.class).paramLabel(key.type().label());
    return isSwitch(key)
        ? option.arity("0..1").fallbackValue("true").preprocessor(KeyFlags::completeSwitch)
        : option.arity("1");
  }

  private static boolean isSwitch(Key<?> key) {
    return key.type().label().equals("true|false");
  }

  /**
   * A switch takes the next word only if it is a truth value, so that a mistyped flag behind it is
   * named as such; what is joined by {@code =} is its value in any case.
   */
  private static boolean completeSwitch(
      Stack<String> words, CommandSpec spec, ArgSpec option, Map<String, Object> parsing) {
    boolean joined = "=".equals(parsing.get("separator"));
    if (!joined && (words.isEmpty() || !ValueType.isTruth(words.peek()))) {
      words.push("true");
    }
    return false;
  }

  /** The value of {@code --config}. */
  static Optional<String> configFile(ParseResult parsed) {
    return parsed.hasMatchedOption(CONFIG)
        ? Optional.ofNullable(parsed.<String>matchedOptionValue(CONFIG, null))
        : Optional.empty();
  }

  /** What the user typed, in the order of the table. */
  static List<Given> given(ParseResult parsed, List<Key<?>> keys) {
    List<Given> givens = new ArrayList<>();
    for (Key<?> key : keys) {
      addIfMatched(givens, parsed, key.name(), key.flag());
      key.aliases().forEach(alias -> addIfMatched(givens, parsed, alias.name(), alias.flag()));
    }
    return givens;
  }

  private static void addIfMatched(
      List<Given> givens, ParseResult parsed, String name, String flag) {
    OptionSpec option = parsed.matchedOption(flag);
    if (option != null) {
      givens.add(new Given(name, option.stringValues().getLast(), flag));
    }
  }
}
