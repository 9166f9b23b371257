package io.mola.cli.settings;

import io.mola.core.failure.UsageException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.DoublePredicate;
import java.util.regex.Pattern;

/**
 * How the text of a setting becomes a value. The same reader serves the command line and the YAML
 * file, so both say the same about the same mistake.
 *
 * @param <T> type of the value
 * @param label what stands for the value in {@code --help}
 * @param reader from text; throws UsageException with what was expected
 */
public record ValueType<T>(String label, Reader<T> reader) {
  private static final Set<String> TRUE = Set.of("true", "yes", "on");
  private static final Set<String> FALSE = Set.of("false", "no", "off");
  private static final Pattern DECIMAL =
      Pattern.compile("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?");

  /** Text to value. */
  @FunctionalInterface
  public interface Reader<T> {
    /**
     * Reads.
     *
     * @throws UsageException naming what was expected, without the place
     */
    T read(String text);
  }

  /** Any text. */
  public static ValueType<String> text(String label) {
    return new ValueType<>(label, text -> text);
  }

  /** A file or folder. */
  public static ValueType<Path> path() {
    return new ValueType<>("PATH", ValueType::readPath);
  }

  /** A file or folder, or a word that stands for one. */
  public static ValueType<Path> pathOr(String word) {
    return new ValueType<>("PATH|" + word, ValueType::readPath);
  }

  /** A finite number in a range that {@code expected} describes. */
  public static ValueType<Double> number(String expected, DoublePredicate range) {
    return new ValueType<>("NUMBER", text -> readNumber(text, expected, range));
  }

  /** A whole number of at least {@code least}. */
  public static ValueType<Integer> whole(int least) {
    return whole(least, Integer.MAX_VALUE);
  }

  /** A whole number of a range. */
  public static ValueType<Integer> whole(int least, int most) {
    return new ValueType<>("N", text -> Math.toIntExact(readWhole(text, least, most)));
  }

  /** A whole number of at least 1, or a word that stands for {@code value}. */
  public static ValueType<Integer> wholeOr(String word, int value) {
    return new ValueType<>(
        "N|" + word,
        text ->
            word(text).equals(word)
                ? value
                : Math.toIntExact(readWhole(text, 1, Integer.MAX_VALUE)));
  }

  /** Any 64-bit whole number that is not negative. */
  public static ValueType<Long> seed() {
    return new ValueType<>("N", text -> readWhole(text, 0, Long.MAX_VALUE));
  }

  /** true or false. */
  public static ValueType<Boolean> truth() {
    return new ValueType<>("true|false", ValueType::readTruth);
  }

  /** Whether a text is a truth value. */
  public static boolean isTruth(String text) {
    return TRUE.contains(word(text)) || FALSE.contains(word(text));
  }

  /** One of some words. */
  public static ValueType<String> choice(String... words) {
    List<String> allowed = List.of(words);
    return new ValueType<>(String.join("|", allowed), text -> readChoice(text, allowed));
  }

  /** Bytes with an optional unit: 512M, 8G, 8GiB; powers of 1024. */
  public static ValueType<Long> bytes() {
    return new ValueType<>("SIZE", ValueType::readBytes);
  }

  private static Path readPath(String text) {
    if (text.isBlank()) {
      throw new UsageException("expected a path, not an empty text");
    }
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new UsageException("not a path: " + e.getReason(), e);
    }
  }

  private static double readNumber(String text, String expected, DoublePredicate range) {
    String number = text.strip();
    // Java itself would read 1d and 0x1p3 too, which nobody means.
    double value = DECIMAL.matcher(number).matches() ? Double.parseDouble(number) : Double.NaN;
    if (!Double.isFinite(value) || !range.test(value)) {
      throw new UsageException("expected " + expected + ", not '" + text + "'");
    }
    return value;
  }

  private static long readWhole(String text, long least, long most) {
    String expected =
        "expected a whole number from " + least + " to " + most + ", not '" + text + "'";
    try {
      long value = Long.parseLong(text.strip());
      if (value < least || value > most) {
        throw new UsageException(expected);
      }
      return value;
    } catch (NumberFormatException e) {
      throw new UsageException(expected, e);
    }
  }

  private static boolean readTruth(String text) {
    if (!isTruth(text)) {
      throw new UsageException("expected true or false, not '" + text + "'");
    }
    return TRUE.contains(word(text));
  }

  private static String word(String text) {
    return text.strip().toLowerCase(Locale.ROOT);
  }

  private static String readChoice(String text, List<String> allowed) {
    String word = text.strip().toLowerCase(Locale.ROOT).replace('_', '-');
    if (!allowed.contains(word)) {
      throw new UsageException(
          "expected one of " + String.join(", ", allowed) + ", not '" + text + "'");
    }
    return word;
  }

  private static long readBytes(String text) {
    String size = text.strip().toUpperCase(Locale.ROOT).replaceFirst("I?B$", "");
    String units = "KMGT";
    int power = size.isEmpty() ? 0 : units.indexOf(size.charAt(size.length() - 1)) + 1;
    String digits = power > 0 ? size.substring(0, size.length() - 1).strip() : size;
    if (!digits.matches("[0-9]{1,15}(\\.[0-9]{1,6})?")) {
      throw new UsageException("expected a size like 512M or 8G, not '" + text + "'");
    }
    double value = Double.parseDouble(digits) * Math.pow(1024, power);
    if (value < 1 || value > Long.MAX_VALUE) {
      throw new UsageException("expected a size of at least 1 byte, not '" + text + "'");
    }
    return (long) value;
  }
}
