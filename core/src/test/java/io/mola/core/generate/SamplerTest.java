package io.mola.core.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
  private static final int VOCABULARY = 300;
  private static final int DRAWS = 200;

  /** Logits of both signs with ties and both zeros. */
  private static float[] logits(Random random) {
    float[] logits = new float[VOCABULARY];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = random.nextInt(4) == 0 ? random.nextInt(3) - 1 : (float) random.nextGaussian();
    }
    logits[random.nextInt(VOCABULARY)] = -0f;
    return logits;
  }

  /** The definition: ids in order of descending logits, the lower id on a tie. */
  private static int drawn(float[] logits, Sampling sampling, SplittableRandom random) {
    Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
    Arrays.sort(order, Comparator.comparingDouble((Integer id) -> -logits[id]));
    int kept = sampling.topK() == 0 ? order.length : sampling.topK();
    double[] p = new double[kept];
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      p[i] = Math.exp((logits[order[i]] - logits[order[0]]) / sampling.temperature());
      sum += p[i];
    }
    double mass = 0;
    int nucleus = 0;
    while (nucleus < kept && mass < sampling.topP() * sum) {
      mass += p[nucleus++];
    }
    double at = random.nextDouble() * mass;
    int i = 0;
    while (i < nucleus - 1 && (at -= p[i]) >= 0) {
      i++;
    }
    return order[i];
  }

  @ParameterizedTest(name = "temperature {0}, top-k {1}, top-p {2}")
  @CsvSource({"1, 0, 1", "0.7, 20, 1", "1.5, 0, 0.9", "1, 50, 0.5", "0.01, 0, 1", "1, 1, 1"})
  void drawsAreThoseOfTheDefinition(double temperature, int topK, double topP) {
    Sampling sampling = new Sampling(temperature, topK, topP, 9);
    Sampler sampler = new Sampler(sampling);
    SplittableRandom random = new SplittableRandom(sampling.seed());
    Random source = new Random(4);
    for (int i = 0; i < DRAWS; i++) {
      float[] logits = logits(source);
      assertThat(sampler.next(logits)).isEqualTo(drawn(logits, sampling, random));
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void aLogitThatIsNoFiniteNumberIsTheAnswerWhenDrawing(float bad) {
    float[] logits = logits(new Random(1));
    logits[17] = bad;
    assertThat(new Sampler(new Sampling(1, 0, 0.9, 0)).next(logits)).isEqualTo(17);
  }

  @Test
  void greedyTakesTheLowestIdOfTheLargest() {
    assertThat(new Sampler(Sampling.GREEDY).next(new float[] {-1, 2, 0, 2})).isEqualTo(1);
  }
}
