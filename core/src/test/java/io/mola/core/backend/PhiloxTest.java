package io.mola.core.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Known answers of philox4x32-10, as published with Random123. */
final class PhiloxTest {
  private static int[] words(long key, int c0, int c1, int c2, int c3) {
    int[] out = new int[4];
    Philox.words(key, c0, c1, c2, c3, out);
    return out;
  }

  @Test
  void zerosGiveTheKnownAnswer() {
    assertThat(words(0, 0, 0, 0, 0))
        .containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  }

  @Test
  void onesGiveTheKnownAnswer() {
    assertThat(words(-1, -1, -1, -1, -1))
        .containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  }

  @Test
  void digitsOfPiGiveTheKnownAnswer() {
    long key = 0x299f31d0_a4093822L;
    assertThat(words(key, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344))
        .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
  }
}
