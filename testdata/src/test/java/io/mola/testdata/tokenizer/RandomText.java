package io.mola.testdata.tokenizer;

import java.util.Random;

/**
 * Texts of letters, spaces, digits, accents, scripts without spaces, emoji. No control characters:
 * SmolLM2's vocabulary lacks some.
 */
final class RandomText {
  private static final int[][] RANGES = {
    {'a', 'z'},
    {'a', 'z'},
    {'A', 'Z'},
    {'0', '9'},
    {' ', ' '},
    {' ', '/'},
    {'\n', '\n'},
    {0xE0, 0xFF},
    {0x391, 0x3C9},
    {0x4E00, 0x4FFF},
    {0x1F600, 0x1F64F},
    {'\t', '\t'}
  };

  private RandomText() {}

  static String of(Random random, int characters) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < characters; i++) {
      int[] range = RANGES[random.nextInt(RANGES.length)];
      text.appendCodePoint(range[0] + random.nextInt(range[1] - range[0] + 1));
    }
    return text.toString();
  }
}
