package io.mola.core.tokenizer;

import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Functions chat templates may call. Public because the template engine calls them by reflection
 * from its own module.
 */
public final class TemplateFunctions {
  private static final Pattern DIRECTIVE = Pattern.compile("%(.)");

  private TemplateFunctions() {}

  /**
   * Refuses the conversation.
   *
   * @throws Refusal always
   */
  public static String raiseException(String message) {
    throw new Refusal(message);
  }

  /** The time now in the form of C's strftime; the directives templates use. */
  public static String strftimeNow(String format) {
    return strftime(format, LocalDateTime.now(ZoneId.systemDefault()));
  }

  static String strftime(String format, LocalDateTime now) {
    return DIRECTIVE
        .matcher(format)
        .replaceAll(m -> Matcher.quoteReplacement(directive(m.group(1).charAt(0), now)));
  }

  private static String directive(char directive, LocalDateTime now) {
    String pattern =
        switch (directive) {
          case 'd' -> "%1$td";
          case 'm' -> "%1$tm";
          case 'Y' -> "%1$tY";
          case 'y' -> "%1$ty";
          case 'B' -> "%1$tB";
          case 'b' -> "%1$tb";
          case 'A' -> "%1$tA";
          case 'a' -> "%1$ta";
          case 'H' -> "%1$tH";
          case 'I' -> "%1$tI";
          case 'M' -> "%1$tM";
          case 'S' -> "%1$tS";
          case 'p' -> now.getHour() < 12 ? "AM" : "PM";
          case 'j' -> "%1$tj";
          case '%' -> "%%";
          default ->
              throw new Refusal("strftime_now: directive %" + directive + " is not supported");
        };
    return String.format(Locale.ENGLISH, pattern, now);
  }

  /** What a template says when it does not accept a conversation. */
  static final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refusal(String message) {
      super(message);
    }
  }
}
