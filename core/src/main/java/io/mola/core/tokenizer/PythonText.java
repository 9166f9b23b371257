package io.mola.core.tokenizer;

/** Where Python's notion of text differs from Java's. */
final class PythonText {
  private PythonText() {}

  /** Python's {@code str.isspace} of one character. */
  private static boolean isSpace(char c) {
    return Character.isWhitespace(c)
        || c == '\u0085'
        || c == '\u00a0'
        || c == '\u2007'
        || c == '\u202f';
  }

  /** Python's {@code text.strip()}. */
  static String strip(String text) {
    int begin = 0;
    int end = text.length();
    while (begin < end && isSpace(text.charAt(begin))) {
      begin++;
    }
    while (end > begin && isSpace(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(begin, end);
  }

  /** Whether Java's {@code strip} gives the same as Python's. */
  static boolean stripsAsJava(String text) {
    return strip(text).equals(text.strip());
  }
}
