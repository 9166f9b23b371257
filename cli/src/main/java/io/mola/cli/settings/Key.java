package io.mola.cli.settings;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One setting.
 *
 * @param <T> type of its value
 * @param name canonical name in snake_case, as the YAML file has it
 * @param type how its text is read
 * @param fallback text of the default; null: none
 * @param section heading in {@code --help}
 * @param help what it does, for people
 * @param aliases names that other tools use for the same setting
 */
public record Key<T>(
    String name,
    ValueType<T> type,
    @Nullable String fallback,
    Section section,
    String help,
    List<Alias> aliases) {
  /** Copies the list. */
  public Key {
    aliases = List.copyOf(aliases);
  }

  /**
   * Another name for a key.
   *
   * @param name in snake_case
   * @param inverse the truth value means the opposite
   */
  public record Alias(String name, boolean inverse) {
    /** As a flag, for example {@code --max-seq-length}. */
    public String flag() {
      return flagOf(name);
    }
  }

  /** Headings of {@code --help}, in order. */
  public enum Section {
    /** What goes in and out. */
    FILES("Model, data, output"),
    /** The adapter. */
    ADAPTER("Mixture of LoRA experts"),
    /** The optimiser and its schedule. */
    TRAINING("Training"),
    /** Checkpoints. */
    CONTINUITY("Stop and go on"),
    /** How examples become tokens. */
    DATA("Examples"),
    /** Text generation. */
    GENERATION("Generation"),
    /** Machine. */
    MACHINE("Machine");

    private final String heading;

    Section(String heading) {
      this.heading = heading;
    }

    /** For people. */
    public String heading() {
      return heading;
    }
  }

  /** The flag, for example {@code --learning-rate}. */
  public String flag() {
    return flagOf(name);
  }

  private static String flagOf(String name) {
    return "--" + name.replace('_', '-');
  }
}
