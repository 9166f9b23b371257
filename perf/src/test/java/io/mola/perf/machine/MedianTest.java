package io.mola.perf.machine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MedianTest {
  @Test
  void isTheMiddleOfAnOddNumberInAnyOrder() {
    assertThat(of(9, 1, 2).value()).isEqualTo(2);
  }

  @Test
  void isTheMeanOfTheMiddleTwoOfAnEvenNumber() {
    assertThat(of(10, 1, 4, 2).value()).isEqualTo(3);
  }

  @Test
  void ofNothingIsEmpty() {
    assertThat(new Median().isEmpty()).isTrue();
  }

  private static Median of(double... values) {
    Median median = new Median();
    for (double value : values) {
      median.add(value);
    }
    return median;
  }
}
